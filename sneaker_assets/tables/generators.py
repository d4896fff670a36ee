"""Evaluation of the generators."""

import pandera.pandas as pa

from sneaker_assets.tables.base import Table


class GanEvaluation(Table):
    """Quality of a price band's generator: samples and held-out images compared with the training images."""

    band: str = pa.Field(description="Price band, the partition key.")
    generator: str = pa.Field(description="Folder of the generator, relative to the lake.")
    epoch: int = pa.Field(ge=1, description="Training epoch of the generator.")
    backbone: str = pa.Field(description="Backbone on whose features the images are compared.")
    weights: str = pa.Field(description="Source of the backbone's weights.")
    population: str = pa.Field(isin=("generated", "held_out", "training"), description="Images that the row describes.")
    n: int = pa.Field(ge=0, description="Number of images.")
    kid: float = pa.Field(
        nullable=True, description="Kernel Inception Distance to the training images; unbiased, best near 0."
    )
    kid_deviation: float = pa.Field(nullable=True, ge=0, description="Standard deviation of the KID over subsets.")
    fid: float = pa.Field(
        nullable=True, description="Fréchet Inception Distance; missing unless there are more images than features."
    )
    precision: float = pa.Field(
        nullable=True, ge=0, le=1, description="Share of the images inside the manifold of the training images."
    )
    recall: float = pa.Field(
        nullable=True, ge=0, le=1, description="Share of the training images inside the manifold of the images."
    )
    diversity: float = pa.Field(
        nullable=True, ge=0, description="Median nearest-neighbour distance, relative to that of the training images."
    )
    nearest_train: float = pa.Field(nullable=True, ge=0, description="Median distance to the nearest training image.")
    close: float = pa.Field(
        nullable=True,
        ge=0,
        le=1,
        description="Share of the images that are closer to a training image than 95 % of the held-out images are.",
    )
    red: float = pa.Field(nullable=True, ge=0, le=255, description="Mean red of the shoes, without background.")
    green: float = pa.Field(nullable=True, ge=0, le=255, description="Mean green of the shoes.")
    blue: float = pa.Field(nullable=True, ge=0, le=255, description="Mean blue of the shoes.")
    brightness: float = pa.Field(nullable=True, ge=0, le=1, description="Mean of the three channels, 0 to 1.")
    brightness_error: float = pa.Field(nullable=True, ge=0, description="Standard error of the brightness.")
    saturation: float = pa.Field(
        nullable=True, ge=0, le=1, description="Mean difference between a pixel's highest and lowest channel, 0 to 1."
    )
    saturation_error: float = pa.Field(nullable=True, ge=0, description="Standard error of the saturation.")


class GanColourComparison(Table):
    """Mean colour, brightness and saturation of each price band's shoes, real and generated."""

    band: str = pa.Field(description="Price band.")
    population: str = pa.Field(isin=("generated", "training"), description="Samples or training images.")
    n: int = pa.Field(ge=0, description="Number of images.")
    red: float = pa.Field(nullable=True, ge=0, le=255, description="Mean red of the shoes, without background.")
    green: float = pa.Field(nullable=True, ge=0, le=255, description="Mean green of the shoes.")
    blue: float = pa.Field(nullable=True, ge=0, le=255, description="Mean blue of the shoes.")
    brightness: float = pa.Field(nullable=True, ge=0, le=1, description="Mean of the three channels, 0 to 1.")
    brightness_error: float = pa.Field(nullable=True, ge=0, description="Standard error of the brightness.")
    saturation: float = pa.Field(
        nullable=True, ge=0, le=1, description="Mean difference between a pixel's highest and lowest channel, 0 to 1."
    )
    saturation_error: float = pa.Field(nullable=True, ge=0, description="Standard error of the saturation.")


class ConditionalGanEvaluation(Table):
    """Samples of the conditional generator for each price band and colour."""

    band: str = pa.Field(description="Price band that the samples were generated for.")
    colour: str = pa.Field(description="Colour that the samples were generated for.")
    generator: str = pa.Field(description="Folder of the generator, relative to the lake.")
    epoch: int = pa.Field(ge=1, description="Training epoch of the generator.")
    training_images: int = pa.Field(ge=1, description="Number of training images of that band and colour.")
    n: int = pa.Field(ge=1, description="Number of samples.")
    matching: float = pa.Field(ge=0, le=1, description="Share of the samples whose mean colour has that name.")
    brightness: float = pa.Field(nullable=True, ge=0, le=1, description="Mean of the three channels, 0 to 1.")
    saturation: float = pa.Field(
        nullable=True, ge=0, le=1, description="Mean difference between a pixel's highest and lowest channel, 0 to 1."
    )
