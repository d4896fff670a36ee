"""What the generators draw is worth."""

import pandera.pandas as pa

from sneaker_assets.tables.base import Table


class GanEvaluation(Table):
    """What a price band's generator is worth: its samples, and real images it never saw, beside its training images."""

    band: str = pa.Field(description="Price band, the partition key.")
    generator: str = pa.Field(description="The generator's folder, relative to the lake.")
    epoch: int = pa.Field(ge=1, description="The training epoch it is of.")
    backbone: str = pa.Field(description="Whose features images are compared on.")
    weights: str = pa.Field(description="Where the backbone's weights come from, in plain words.")
    population: str = pa.Field(isin=("generated", "held_out", "training"), description="Which images the row is about.")
    n: int = pa.Field(ge=0, description="How many images.")
    kid: float = pa.Field(nullable=True, description="Kernel distance to the training images; unbiased, best near 0.")
    kid_deviation: float = pa.Field(nullable=True, ge=0, description="Its standard deviation over subsets.")
    fid: float = pa.Field(
        nullable=True, description="Fréchet distance; missing without more images than there are features."
    )
    precision: float = pa.Field(nullable=True, ge=0, le=1, description="Share that looks like training images.")
    recall: float = pa.Field(
        nullable=True, ge=0, le=1, description="Share of the training images that it can look like."
    )
    diversity: float = pa.Field(
        nullable=True, ge=0, description="Median distance between neighbours, as a share of that of training images."
    )
    nearest_train: float = pa.Field(nullable=True, ge=0, description="Median distance to the nearest training image.")
    close: float = pa.Field(
        nullable=True, ge=0, le=1, description="Share that is nearer to a training image than 95 % of held-out images."
    )
    red: float = pa.Field(nullable=True, ge=0, le=255, description="Mean red of the shoes, background left out.")
    green: float = pa.Field(nullable=True, ge=0, le=255, description="Their mean green.")
    blue: float = pa.Field(nullable=True, ge=0, le=255, description="Their mean blue.")
    brightness: float = pa.Field(nullable=True, ge=0, le=1, description="Mean of the three, as a share.")
    brightness_error: float = pa.Field(nullable=True, ge=0, description="Its standard error over the images.")
    saturation: float = pa.Field(nullable=True, ge=0, le=1, description="Greatest less smallest channel of a pixel.")
    saturation_error: float = pa.Field(nullable=True, ge=0, description="Its standard error over the images.")


class GanColourComparison(Table):
    """How colourful and how bright the shoes of each price band are, really and as its generator draws them."""

    band: str = pa.Field(description="Price band.")
    population: str = pa.Field(isin=("generated", "training"), description="Samples, or the images learned from.")
    n: int = pa.Field(ge=0, description="How many images.")
    red: float = pa.Field(nullable=True, ge=0, le=255, description="Mean red of the shoes, background left out.")
    green: float = pa.Field(nullable=True, ge=0, le=255, description="Their mean green.")
    blue: float = pa.Field(nullable=True, ge=0, le=255, description="Their mean blue.")
    brightness: float = pa.Field(nullable=True, ge=0, le=1, description="Mean of the three, as a share.")
    brightness_error: float = pa.Field(nullable=True, ge=0, description="Its standard error over the images.")
    saturation: float = pa.Field(nullable=True, ge=0, le=1, description="Greatest less smallest channel of a pixel.")
    saturation_error: float = pa.Field(nullable=True, ge=0, description="Its standard error over the images.")
