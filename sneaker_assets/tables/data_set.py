"""What is learned from, and what is not."""

import pandas as pd
import pandera.pandas as pa

from sneaker_assets.tables.base import (
    DEAREST,
    FENCE_METHODS,
    LABEL_KINDS,
    REMOVAL_REASONS,
    RESOLUTIONS,
    SPLITS,
    Table,
    Timestamp,
)


class ListedProduct(Table):
    """One product at one site with its latest price; shared by the tables of listings."""

    site: str = pa.Field(description="Source site.")
    product_id: str = pa.Field(description="The site's own identifier of the product.")
    url: str = pa.Field(description="Page the product was found on.")
    title: str = pa.Field(description="Product title as listed.")
    brand: str = pa.Field(nullable=True, description="Brand as listed.")
    style_code: str = pa.Field(nullable=True, description="Manufacturer's style code.")
    colourway: str = pa.Field(nullable=True, description="Colourway as listed.")
    retail_price: float = pa.Field(nullable=True, gt=0, le=DEAREST, description="Retail price, US dollars.")
    release_date: Timestamp = pa.Field(nullable=True, description="Release date (UTC midnight).")
    price: float = pa.Field(nullable=True, gt=0, le=DEAREST, description="The label in US dollars; missing, never 0.")
    label_kind: str = pa.Field(nullable=True, isin=LABEL_KINDS, description="What the price means.")
    amount: float = pa.Field(nullable=True, gt=0, description="The label as observed, in `currency`.")
    currency: str = pa.Field(nullable=True, str_length=3, description="ISO 4217 currency of the amount.")
    fx_rate: float = pa.Field(nullable=True, gt=0, description="US dollars for one unit of the currency.")
    fx_date: Timestamp = pa.Field(nullable=True, description="The day that rate was published.")
    observed_at: Timestamp = pa.Field(description="When that price was seen.")


class Listings(ListedProduct):
    """One product at one site: its latest price joined to its decodable image."""

    sha256: str = pa.Field(str_length=64, description="The image: sha256 of its bytes.")
    width: int = pa.Field(gt=0, description="Image width in pixels.")
    height: int = pa.Field(gt=0, description="Image height in pixels.")
    left: int = pa.Field(ge=0, description="Left edge of what is not white border, pixels.")
    top: int = pa.Field(ge=0, description="Its top edge, pixels.")
    right: int = pa.Field(gt=0, description="Its right edge, pixels, not included.")
    bottom: int = pa.Field(gt=0, description="Its bottom edge, pixels, not included.")
    red: float = pa.Field(ge=0, le=255, description="Mean red inside that box, 0 to 255.")
    green: float = pa.Field(ge=0, le=255, description="Mean green inside that box, 0 to 255.")
    blue: float = pa.Field(ge=0, le=255, description="Mean blue inside that box, 0 to 255.")
    twin_group: str = pa.Field(str_length=64, description="The first seen of the images that show the same picture.")

    class Config:
        """A product of a site is listed once."""

        unique = ("site", "product_id")


class CleanListings(Listings):
    """The listings to learn from: every price is known, inside the fence and agreed on by the picture's twins."""

    price: float = pa.Field(gt=0, le=DEAREST, description="The label in US dollars, after twins were made to agree.")
    label_kind: str = pa.Field(isin=LABEL_KINDS, description="What the price means.")
    listed_price: float = pa.Field(gt=0, le=DEAREST, description="The listing's own price in US dollars.")


class RemovedListings(ListedProduct):
    """The listings that are not learned from, and why; the image is missing where none is fetched."""

    sha256: str = pa.Field(nullable=True, str_length=64, description="The image: sha256 of its bytes.")
    width: pd.Int64Dtype = pa.Field(nullable=True, ge=0, description="Image width in pixels.")
    height: pd.Int64Dtype = pa.Field(nullable=True, ge=0, description="Image height in pixels.")
    left: pd.Int64Dtype = pa.Field(nullable=True, ge=0, description="Left edge of what is not white border, pixels.")
    top: pd.Int64Dtype = pa.Field(nullable=True, ge=0, description="Its top edge, pixels.")
    right: pd.Int64Dtype = pa.Field(nullable=True, ge=0, description="Its right edge, pixels, not included.")
    bottom: pd.Int64Dtype = pa.Field(nullable=True, ge=0, description="Its bottom edge, pixels, not included.")
    red: float = pa.Field(nullable=True, ge=0, le=255, description="Mean red inside that box, 0 to 255.")
    green: float = pa.Field(nullable=True, ge=0, le=255, description="Mean green inside that box, 0 to 255.")
    blue: float = pa.Field(nullable=True, ge=0, le=255, description="Mean blue inside that box, 0 to 255.")
    twin_group: str = pa.Field(
        nullable=True, str_length=64, description="The first seen of the images that show the same picture."
    )
    reason: str = pa.Field(isin=REMOVAL_REASONS, description="Why it was removed.")
    limit: float = pa.Field(nullable=True, description="The fence it lies beyond, US dollars.")
    detail: str = pa.Field(nullable=True, description="What the site calls a product that is no shoe.")

    class Config:
        """A product of a site is listed once; columns that earlier versions did not write may be missing."""

        unique = ("site", "product_id")
        add_missing_columns = True


class PriceFences(Table):
    """The fences that prices were held to, and what lay beyond them."""

    scope: str = pa.Field(unique=True, description="The site, or `all`.")
    method: str = pa.Field(isin=FENCE_METHODS, description="How the fence was computed.")
    lower: float = pa.Field(description="Lowest price that is kept, US dollars.")
    upper: float = pa.Field(description="Highest price that is kept, US dollars.")
    n: int = pa.Field(ge=1, description="Prices it was computed from.")
    below: int = pa.Field(ge=0, description="Prices below it.")
    above: int = pa.Field(ge=0, description="Prices above it.")


class TwinConflicts(Table):
    """Groups of listings that show the same picture at prices further apart than the tolerance."""

    twin_group: str = pa.Field(unique=True, str_length=64, description="Identity of the group.")
    n: int = pa.Field(ge=2, description="Listings inside the fence.")
    lowest: float = pa.Field(gt=0, description="Their lowest price, US dollars.")
    median: float = pa.Field(gt=0, description="Their median price, US dollars.")
    highest: float = pa.Field(gt=0, description="Their highest price, US dollars.")
    spread: float = pa.Field(gt=0, description="Highest over lowest price, minus 1.")
    resolution: str = pa.Field(isin=RESOLUTIONS, description="median: all take it; drop: all are removed.")


class Splits(Table):
    """Which side of the split each clean listing is on; all listings of a twin group are on the same one."""

    site: str = pa.Field(description="Source site.")
    product_id: str = pa.Field(description="The site's own identifier of the product.")
    sha256: str = pa.Field(str_length=64, description="The image: sha256 of its bytes.")
    twin_group: str = pa.Field(description="Identity of the group of listings that show the same picture.")
    price: float = pa.Field(gt=0, description="The label in US dollars.")
    split: str = pa.Field(isin=SPLITS, description="train, validation or test.")


class TrainedRows(Table):
    """What a backbone's model was trained on, kept to see later how much of it has changed."""

    backbone: str = pa.Field(description="Backbone, the partition key.")
    site: str = pa.Field(description="Source site.")
    product_id: str = pa.Field(description="The site's own identifier of the product.")
    sha256: str = pa.Field(str_length=64, description="The image: sha256 of its bytes.")
    price: float = pa.Field(gt=0, description="The label in US dollars.")


class PriceStatistics(Table):
    """Five-number summaries of the prices, before and after cleaning, per site and for all sites."""

    population: str = pa.Field(isin=("raw", "clean"), description="Before or after the outliers were removed.")
    site: str = pa.Field(description="Source site, or `all`.")
    n: int = pa.Field(ge=1, description="Listings with a price.")
    minimum: float = pa.Field(description="Lowest price, US dollars.")
    q1: float = pa.Field(description="First quartile, US dollars.")
    median: float = pa.Field(description="Median, US dollars.")
    q3: float = pa.Field(description="Third quartile, US dollars.")
    maximum: float = pa.Field(description="Highest price, US dollars.")
    mean: float = pa.Field(description="Mean, US dollars.")
    deviation: float = pa.Field(nullable=True, description="Standard deviation, US dollars; missing for one listing.")
    skewness: float = pa.Field(nullable=True, description="Sample skewness; missing below three listings.")
