"""The data set: listings, cleaning, splits and price statistics."""

import pandas as pd
import pandera.pandas as pa

from sneaker_assets.tables.base import Table, Timestamp
from sneaker_assets.tables.values import (
    CONDITIONS,
    FENCE_METHODS,
    LABEL_KINDS,
    MAX_PRICE,
    REMOVAL_REASONS,
    RESOLUTIONS,
    SPLITS,
)


class ListedProduct(Table):
    """One product at one site with its latest price; shared by the tables of listings."""

    site: str = pa.Field(description="Source site.")
    product_id: str = pa.Field(description="Product identifier of the site.")
    url: str = pa.Field(description="Page on which the product was found.")
    title: str = pa.Field(description="Product title as listed.")
    brand: str = pa.Field(nullable=True, description="Brand as listed.")
    style_code: str = pa.Field(nullable=True, description="Manufacturer's style code.")
    colourway: str = pa.Field(nullable=True, description="Colourway as listed.")
    retail_price: float = pa.Field(nullable=True, gt=0, le=MAX_PRICE, description="Retail price, US dollars.")
    release_date: Timestamp = pa.Field(nullable=True, description="Release date (UTC midnight).")
    price: float = pa.Field(
        nullable=True, gt=0, le=MAX_PRICE, description="Price label, US dollars; missing if unknown, never 0."
    )
    label_kind: str = pa.Field(nullable=True, isin=LABEL_KINDS, description="Meaning of the price.")
    condition: str = pa.Field(
        nullable=True, isin=CONDITIONS, description="Condition of the shoe at that price; missing if not stated."
    )
    amount: float = pa.Field(nullable=True, gt=0, description="Price label as observed, in `currency`.")
    currency: str = pa.Field(nullable=True, str_length=3, description="ISO 4217 currency of the amount.")
    fx_rate: float = pa.Field(nullable=True, gt=0, description="US dollars per unit of the currency.")
    fx_date: Timestamp = pa.Field(nullable=True, description="Day on which the rate was published.")
    observed_at: Timestamp = pa.Field(description="Time at which the price was observed.")
    shoe: str = pa.Field(nullable=True, description="Shoe that the product is, as in the table `shoes`.")
    first_seen: Timestamp = pa.Field(nullable=True, description="Time at which the picture was first seen.")


class Listings(ListedProduct):
    """One row per product and site, with its latest price and its image."""

    sha256: str = pa.Field(str_length=64, description="SHA-256 of the image file.")
    width: int = pa.Field(gt=0, description="Image width in pixels.")
    height: int = pa.Field(gt=0, description="Image height in pixels.")
    left: int = pa.Field(ge=0, description="Left edge of the content inside the white border, pixels.")
    top: int = pa.Field(ge=0, description="Top edge of the content, pixels.")
    right: int = pa.Field(gt=0, description="Right edge of the content, pixels, exclusive.")
    bottom: int = pa.Field(gt=0, description="Bottom edge of the content, pixels, exclusive.")
    red: float = pa.Field(ge=0, le=255, description="Mean red of the content, 0 to 255.")
    green: float = pa.Field(ge=0, le=255, description="Mean green of the content, 0 to 255.")
    blue: float = pa.Field(ge=0, le=255, description="Mean blue of the content, 0 to 255.")
    twin_group: str = pa.Field(
        str_length=64, description="Group of near duplicates, named by the SHA-256 of its first seen image."
    )

    class Config:
        """Each product of a site has one row; columns added since may be missing in stored tables."""

        unique = ("site", "product_id")
        add_missing_columns = True


class CleanListings(Listings):
    """Listings used for training and evaluation: price known and inside the fences, label conflicts resolved."""

    price: float = pa.Field(
        gt=0, le=MAX_PRICE, description="Price label after the resolution of label conflicts, US dollars."
    )
    label_kind: str = pa.Field(isin=LABEL_KINDS, description="Meaning of the price.")
    listed_price: float = pa.Field(gt=0, le=MAX_PRICE, description="Price of the listing itself, US dollars.")


class RemovedListings(ListedProduct):
    """Listings excluded from the data set, with the reason; without an image if none was downloaded."""

    sha256: str = pa.Field(nullable=True, str_length=64, description="SHA-256 of the image file.")
    width: pd.Int64Dtype = pa.Field(nullable=True, ge=0, description="Image width in pixels.")
    height: pd.Int64Dtype = pa.Field(nullable=True, ge=0, description="Image height in pixels.")
    left: pd.Int64Dtype = pa.Field(nullable=True, ge=0, description="Left edge of the content, pixels.")
    top: pd.Int64Dtype = pa.Field(nullable=True, ge=0, description="Top edge of the content, pixels.")
    right: pd.Int64Dtype = pa.Field(nullable=True, ge=0, description="Right edge of the content, pixels, exclusive.")
    bottom: pd.Int64Dtype = pa.Field(nullable=True, ge=0, description="Bottom edge of the content, pixels, exclusive.")
    red: float = pa.Field(nullable=True, ge=0, le=255, description="Mean red of the content, 0 to 255.")
    green: float = pa.Field(nullable=True, ge=0, le=255, description="Mean green of the content, 0 to 255.")
    blue: float = pa.Field(nullable=True, ge=0, le=255, description="Mean blue of the content, 0 to 255.")
    twin_group: str = pa.Field(
        nullable=True,
        str_length=64,
        description="Group of near duplicates, named by the SHA-256 of its first seen image.",
    )
    reason: str = pa.Field(isin=REMOVAL_REASONS, description="Reason for the removal.")
    limit: float = pa.Field(nullable=True, description="Fence outside which the price lies, US dollars.")
    detail: str = pa.Field(
        nullable=True, description="Product type stated by the site, of a product that is not a shoe."
    )

    class Config:
        """Each product of a site has one row; columns added since may be missing in stored tables."""

        unique = ("site", "product_id")
        add_missing_columns = True


class Shoes(Table):
    """One row per shoe: products of all sites with the same style code, or near-duplicate pictures and titles."""

    shoe: str = pa.Field(
        unique=True, description="Its style code, or the site and product that were observed first, which name it."
    )
    style_code: str = pa.Field(nullable=True, description="Manufacturer's style code as first stated.")
    title: str = pa.Field(description="Title of the product observed first.")
    brand: str = pa.Field(nullable=True, description="Brand as first stated.")
    colourway: str = pa.Field(nullable=True, description="Colourway as first stated.")
    n_sites: int = pa.Field(ge=1, description="Number of sites that have it.")
    n_products: int = pa.Field(ge=1, description="Number of products of these sites.")
    n_pictures: int = pa.Field(ge=0, description="Number of distinct pictures; near duplicates count once.")
    sites: str = pa.Field(description="Sites that have it, separated by commas.")
    labels: str = pa.Field(
        description="Latest resale price of each site, kind and condition, a JSON array of objects with `site`, "
        "`kind`, `condition` where stated, `price` (US dollars) and `observed`."
    )
    lowest: float = pa.Field(
        nullable=True, gt=0, description="Lowest resale price label of its products that are not used, US dollars."
    )
    median: float = pa.Field(nullable=True, gt=0, description="Median of these labels, US dollars.")
    highest: float = pa.Field(nullable=True, gt=0, description="Highest of these labels, US dollars.")
    retail_price: float = pa.Field(
        nullable=True,
        gt=0,
        le=MAX_PRICE,
        description="Retail price of the product observed first that states one, US dollars.",
    )
    release_date: Timestamp = pa.Field(nullable=True, description="Release date as first stated (UTC midnight).")
    conflicts: str = pa.Field(
        description="Fields that sites state differently, a JSON array of objects with `field` and `values` by site."
    )


class PriceTrends(Table):
    """Prices by site, kind, condition and month; rows without a month are of the whole history."""

    site: str = pa.Field(description="Source site.")
    label_kind: str = pa.Field(isin=LABEL_KINDS, description="Meaning of the prices.")
    condition: str = pa.Field(
        nullable=True, isin=CONDITIONS, description="Condition of the shoes; missing if not stated."
    )
    month: Timestamp = pa.Field(
        nullable=True, description="Start of the month (UTC) in which the prices were observed; missing for all months."
    )
    n_prices: int = pa.Field(ge=1, description="Number of prices.")
    n_products: int = pa.Field(ge=1, description="Number of products that have one.")
    q1: float = pa.Field(gt=0, description="First quartile, US dollars.")
    median: float = pa.Field(gt=0, description="Median price, US dollars.")
    q3: float = pa.Field(gt=0, description="Third quartile, US dollars.")


class PriceFences(Table):
    """Outlier fences, and the number of prices outside them."""

    scope: str = pa.Field(unique=True, description="Site, or `all`.")
    method: str = pa.Field(isin=FENCE_METHODS, description="Method by which the fences were computed.")
    lower: float = pa.Field(description="Lower fence, US dollars.")
    upper: float = pa.Field(description="Upper fence, US dollars.")
    n: int = pa.Field(ge=1, description="Number of prices from which the fences were computed.")
    below: int = pa.Field(ge=0, description="Number of prices below the lower fence.")
    above: int = pa.Field(ge=0, description="Number of prices above the upper fence.")


class LabelConflicts(Table):
    """Label conflicts: groups of near duplicates whose prices differ by more than the tolerance."""

    twin_group: str = pa.Field(unique=True, str_length=64, description="Group of near duplicates.")
    n: int = pa.Field(ge=2, description="Number of listings inside the fences.")
    lowest: float = pa.Field(gt=0, description="Lowest price, US dollars.")
    median: float = pa.Field(gt=0, description="Median price, US dollars.")
    highest: float = pa.Field(gt=0, description="Highest price, US dollars.")
    spread: float = pa.Field(gt=0, description="Highest divided by lowest price, minus 1.")
    resolution: str = pa.Field(
        isin=RESOLUTIONS, description="median: all listings get the median price; drop: all are removed."
    )


class Splits(Table):
    """Split of the clean listings into train, validation and test; a shoe and near duplicates are in the same split."""

    site: str = pa.Field(description="Source site.")
    product_id: str = pa.Field(description="Product identifier of the site.")
    sha256: str = pa.Field(str_length=64, description="SHA-256 of the image file.")
    twin_group: str = pa.Field(description="Group of near duplicates.")
    price: float = pa.Field(gt=0, description="Price label, US dollars.")
    split: str = pa.Field(isin=SPLITS, description="train, validation or test.")
    shoe: str = pa.Field(nullable=True, description="Shoe that the product is, as in the table `shoes`.")

    class Config:
        """Columns added since may be missing in stored tables."""

        add_missing_columns = True


class TrainedRows(Table):
    """Training snapshot: the rows on which a backbone's model was trained, used to detect changes of the data."""

    backbone: str = pa.Field(description="Backbone, the partition key.")
    site: str = pa.Field(description="Source site.")
    product_id: str = pa.Field(description="Product identifier of the site.")
    sha256: str = pa.Field(str_length=64, description="SHA-256 of the image file.")
    price: float = pa.Field(gt=0, description="Price label, US dollars.")


class PriceStatistics(Table):
    """Summary statistics of the prices before and after cleaning, per site and for all sites."""

    population: str = pa.Field(isin=("raw", "clean"), description="raw: before cleaning; clean: after cleaning.")
    site: str = pa.Field(description="Source site, or `all`.")
    n: int = pa.Field(ge=1, description="Number of listings with a price.")
    minimum: float = pa.Field(description="Lowest price, US dollars.")
    q1: float = pa.Field(description="First quartile, US dollars.")
    median: float = pa.Field(description="Median price, US dollars.")
    q3: float = pa.Field(description="Third quartile, US dollars.")
    maximum: float = pa.Field(description="Highest price, US dollars.")
    mean: float = pa.Field(description="Mean price, US dollars.")
    deviation: float = pa.Field(
        nullable=True, description="Standard deviation, US dollars; missing for a single listing."
    )
    skewness: float = pa.Field(nullable=True, description="Sample skewness; missing for fewer than three listings.")
