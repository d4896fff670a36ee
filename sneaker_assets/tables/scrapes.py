"""Crawled observations and images, exchange rates, and image properties."""

import pandas as pd
import pandera.pandas as pa

from sneaker_assets.tables.base import Table, Timestamp
from sneaker_assets.tables.values import CONDITIONS, LABEL_KINDS, MAX_PRICE, SIZE_SYSTEMS


class Observations(Table):
    """One price of a product at a site, as observed at one time; append-only, so that prices have a history."""

    site: str = pa.Field(description="Source site, the partition key.")
    product_id: str = pa.Field(description="Product identifier of the site.")
    url: str = pa.Field(description="Page on which the product was found.")
    title: str = pa.Field(description="Product title as listed.")
    brand: str = pa.Field(nullable=True, description="Brand as listed.")
    style_code: str = pa.Field(nullable=True, description="Manufacturer's style code.")
    colourway: str = pa.Field(nullable=True, description="Colourway as listed.")
    image_url: str = pa.Field(description="URL of the main product image.")
    retail_price: float = pa.Field(nullable=True, gt=0, description="Retail price at release, in `retail_currency`.")
    retail_currency: str = pa.Field(nullable=True, str_length=3, description="ISO 4217 currency of the retail price.")
    release_date: Timestamp = pa.Field(nullable=True, description="Release date (UTC midnight).")
    amount: float = pa.Field(
        nullable=True, gt=0, description="Observed price in `currency`; missing if unknown, never 0."
    )
    currency: str = pa.Field(nullable=True, str_length=3, description="ISO 4217 currency of the amount.")
    label_kind: str = pa.Field(isin=LABEL_KINDS, description="Meaning of the amount.")
    size: str = pa.Field(
        nullable=True, description="Shoe size to which the amount applies; missing if it applies to all sizes."
    )
    size_system: str = pa.Field(
        nullable=True, isin=SIZE_SYSTEMS, description="System in which the size is given; missing if not stated."
    )
    condition: str = pa.Field(
        nullable=True, isin=CONDITIONS, description="Condition of the shoe on offer; missing if not stated."
    )
    available: pd.BooleanDtype = pa.Field(
        nullable=True, description="Whether the product can be bought at the amount; missing if not stated."
    )
    n_prices: pd.Int64Dtype = pa.Field(
        nullable=True, ge=1, description="Number of times the source states this amount at this time; missing for one."
    )
    observed_at: Timestamp = pa.Field(description="Time at which the page was read.")
    raw_text: str = pa.Field(nullable=True, description="The amount as written on the page.")
    problem: str = pa.Field(
        nullable=True, description="Reason why the written amount could not be parsed, in one line."
    )
    exclusion: str = pa.Field(nullable=True, description="Product type stated by the site; missing for shoes.")
    generation: str = pa.Field(description="Page format that was parsed.")

    class Config:
        """Columns added since may be missing in stored tables."""

        add_missing_columns = True

    @pa.dataframe_parser
    @classmethod
    def _retail_in_currency(cls, frame: pd.DataFrame) -> pd.DataFrame:
        """Earlier versions stored retail prices in `currency`."""
        if "retail_currency" in frame or "retail_price" not in frame or "currency" not in frame:
            return frame
        frame = frame.copy()
        stated = frame["currency"].where(frame["retail_price"].notna())
        frame.insert(list(frame.columns).index("retail_price") + 1, "retail_currency", stated)
        return frame


class Images(Table):
    """One row per image URL, with the result of its download."""

    site: str = pa.Field(description="Source site, the partition key.")
    image_url: str = pa.Field(unique=True, description="URL of the image.")
    sha256: str = pa.Field(
        nullable=True, str_length=64, description="SHA-256 of the image file; missing if there is none."
    )
    n_bytes: int = pa.Field(ge=0, description="Size of the file in bytes.")
    width: int = pa.Field(ge=0, description="Width in pixels; 0 if it cannot be decoded.")
    height: int = pa.Field(ge=0, description="Height in pixels; 0 if it cannot be decoded.")
    problem: str = pa.Field(nullable=True, description="Reason why there is no usable image, in one line.")


class FxRates(Table):
    """Exchange rates to US dollars, one row per currency and day of publication."""

    currency: str = pa.Field(str_length=3, description="ISO 4217 currency.")
    date: Timestamp = pa.Field(description="Day of publication (UTC midnight).")
    usd: float = pa.Field(gt=0, lt=100, description="US dollars per unit of the currency.")

    class Config:
        """Each currency has one rate per day."""

        unique = ("currency", "date")


class PriceObservations(Table):
    """Price history in US dollars: every observed amount with the exchange rate used for its conversion."""

    site: str = pa.Field(description="Source site.")
    product_id: str = pa.Field(description="Product identifier of the site.")
    observed_at: Timestamp = pa.Field(description="Time at which the page was read.")
    label_kind: str = pa.Field(isin=LABEL_KINDS, description="Meaning of the amount.")
    size: str = pa.Field(
        nullable=True, description="Shoe size to which the amount applies; missing if it applies to all sizes."
    )
    size_system: str = pa.Field(
        nullable=True, isin=SIZE_SYSTEMS, description="System in which the size is given; missing if not stated."
    )
    condition: str = pa.Field(
        nullable=True, isin=CONDITIONS, description="Condition of the shoe on offer; missing if not stated."
    )
    amount: float = pa.Field(nullable=True, description="Observed price in `currency`; missing if unknown, never 0.")
    currency: str = pa.Field(nullable=True, description="ISO 4217 currency of the amount.")
    available: pd.BooleanDtype = pa.Field(
        nullable=True, description="Whether the product can be bought at the amount; missing if not stated."
    )
    n_prices: pd.Int64Dtype = pa.Field(
        nullable=True,
        ge=1,
        description="Number of prices of this product, size, kind and time; missing without a price.",
    )
    fx_rate: float = pa.Field(nullable=True, gt=0, description="US dollars per unit of the currency.")
    fx_date: Timestamp = pa.Field(nullable=True, description="Day on which the rate was published.")
    price: float = pa.Field(
        nullable=True, gt=0, le=MAX_PRICE, description="The amount in US dollars; missing if it cannot be converted."
    )
    problem: str = pa.Field(nullable=True, description="Reason why there is no price in US dollars, in one line.")

    class Config:
        """Columns added since may be missing in stored tables."""

        add_missing_columns = True


class ImageProperties(Table):
    """Properties of each distinct image, computed once per SHA-256 and reused."""

    sha256: str = pa.Field(unique=True, str_length=64, description="SHA-256 of the image file.")
    first_seen: Timestamp = pa.Field(description="Time at which the image was first seen in a listing.")
    left: int = pa.Field(ge=0, description="Left edge of the content inside the white border, pixels.")
    top: int = pa.Field(ge=0, description="Top edge of the content, pixels.")
    right: int = pa.Field(gt=0, description="Right edge of the content, pixels, exclusive.")
    bottom: int = pa.Field(gt=0, description="Bottom edge of the content, pixels, exclusive.")
    red: float = pa.Field(ge=0, le=255, description="Mean red of the content, 0 to 255.")
    green: float = pa.Field(ge=0, le=255, description="Mean green of the content, 0 to 255.")
    blue: float = pa.Field(ge=0, le=255, description="Mean blue of the content, 0 to 255.")
    picture_hash: str = pa.Field(nullable=True, str_length=64, description="Perceptual hash, 256 bits in hexadecimal.")
    recipe: str = pa.Field(description="Settings with which the properties were computed.")
