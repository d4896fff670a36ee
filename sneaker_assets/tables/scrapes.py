"""What the crawl and the rates give."""

import pandas as pd
import pandera.pandas as pa

from sneaker_assets.tables.base import DEAREST, LABEL_KINDS, Table, Timestamp


class Observations(Table):
    """One price of one product at one site, as seen at one moment; append-only, so that prices have a history."""

    site: str = pa.Field(description="Source site, the partition key.")
    product_id: str = pa.Field(description="The site's own identifier of the product.")
    url: str = pa.Field(description="Page the product was found on.")
    title: str = pa.Field(description="Product title as listed.")
    brand: str = pa.Field(nullable=True, description="Brand as listed.")
    style_code: str = pa.Field(nullable=True, description="Manufacturer's style code.")
    colourway: str = pa.Field(nullable=True, description="Colourway as listed.")
    image_url: str = pa.Field(description="Address of the main product image.")
    retail_price: float = pa.Field(nullable=True, gt=0, description="Retail price at release, in `retail_currency`.")
    retail_currency: str = pa.Field(nullable=True, str_length=3, description="ISO 4217 currency of the retail price.")
    release_date: Timestamp = pa.Field(nullable=True, description="Release date (UTC midnight).")
    amount: float = pa.Field(nullable=True, gt=0, description="Observed price in `currency`; missing, never 0.")
    currency: str = pa.Field(nullable=True, str_length=3, description="ISO 4217 currency of the amount.")
    label_kind: str = pa.Field(isin=LABEL_KINDS, description="What the amount means.")
    size: str = pa.Field(nullable=True, description="Shoe size the amount is for; missing where it is for the product.")
    available: pd.BooleanDtype = pa.Field(
        nullable=True, description="Whether it can be bought at that amount; missing where the page does not state it."
    )
    n_prices: pd.Int64Dtype = pa.Field(
        nullable=True, ge=1, description="How often the source states this amount at this moment; missing for once."
    )
    observed_at: Timestamp = pa.Field(description="When the page was read.")
    raw_text: str = pa.Field(nullable=True, description="The amount as the page wrote it.")
    problem: str = pa.Field(nullable=True, description="Why the written amount could not be read, in one line.")
    exclusion: str = pa.Field(
        nullable=True, description="Why the product is no shoe according to its site; missing for shoes."
    )

    class Config:
        """Columns that earlier versions did not write may be missing."""

        add_missing_columns = True

    @pa.dataframe_parser
    @classmethod
    def _retail_in_currency(cls, frame: pd.DataFrame) -> pd.DataFrame:
        """Retail prices were in `currency` before they had a currency of their own."""
        if "retail_currency" in frame or "retail_price" not in frame or "currency" not in frame:
            return frame
        frame = frame.copy()
        stated = frame["currency"].where(frame["retail_price"].notna())
        frame.insert(list(frame.columns).index("retail_price") + 1, "retail_currency", stated)
        return frame

    generation: str = pa.Field(description="Which generation of the site's page the adapter read.")


class Images(Table):
    """One product image address and what became of it."""

    site: str = pa.Field(description="Source site, the partition key.")
    image_url: str = pa.Field(unique=True, description="Address of the image.")
    sha256: str = pa.Field(nullable=True, str_length=64, description="sha256 of the bytes; missing without an image.")
    n_bytes: int = pa.Field(ge=0, description="Size of the file in bytes.")
    width: int = pa.Field(ge=0, description="Width in pixels, 0 where it does not decode.")
    height: int = pa.Field(ge=0, description="Height in pixels, 0 where it does not decode.")
    problem: str = pa.Field(nullable=True, description="Why there is no usable image, in one line.")


class FxRates(Table):
    """What one unit of a currency was worth in US dollars, one row a currency and day of publication."""

    currency: str = pa.Field(str_length=3, description="ISO 4217 currency.")
    date: Timestamp = pa.Field(description="Day of publication (UTC midnight).")
    usd: float = pa.Field(gt=0, lt=100, description="US dollars for one unit.")

    class Config:
        """A currency has one rate a day."""

        unique = ("currency", "date")


class PriceObservations(Table):
    """The price history in US dollars: each amount that was seen, with the rate it was converted at."""

    site: str = pa.Field(description="Source site.")
    product_id: str = pa.Field(description="The site's own identifier of the product.")
    observed_at: Timestamp = pa.Field(description="When the page was read.")
    label_kind: str = pa.Field(isin=LABEL_KINDS, description="What the amount means.")
    size: str = pa.Field(nullable=True, description="Shoe size the amount is for; missing where it is for the product.")
    amount: float = pa.Field(nullable=True, description="Observed price in `currency`; missing, never 0.")
    currency: str = pa.Field(nullable=True, description="ISO 4217 currency of the amount.")
    available: pd.BooleanDtype = pa.Field(
        nullable=True, description="Whether it can be bought at that amount; missing where the page does not state it."
    )
    n_prices: pd.Int64Dtype = pa.Field(
        nullable=True,
        ge=1,
        description="Number of prices of this product, size, kind and moment, this one included; missing without one.",
    )
    fx_rate: float = pa.Field(nullable=True, gt=0, description="US dollars for one unit of the currency.")
    fx_date: Timestamp = pa.Field(nullable=True, description="The day that rate was published.")
    price: float = pa.Field(nullable=True, gt=0, le=DEAREST, description="The amount in US dollars, where it has one.")
    problem: str = pa.Field(nullable=True, description="Why the amount has no price in US dollars, in one line.")

    class Config:
        """Columns that earlier versions did not write may be missing."""

        add_missing_columns = True


class ImageProperties(Table):
    """What a picture is, whichever listings show it: computed once for each sha256 and kept for good."""

    sha256: str = pa.Field(unique=True, str_length=64, description="The image: sha256 of its bytes.")
    first_seen: Timestamp = pa.Field(description="When a listing was first seen to show it.")
    left: int = pa.Field(ge=0, description="Left edge of what is not white border, pixels.")
    top: int = pa.Field(ge=0, description="Its top edge, pixels.")
    right: int = pa.Field(gt=0, description="Its right edge, pixels, not included.")
    bottom: int = pa.Field(gt=0, description="Its bottom edge, pixels, not included.")
    red: float = pa.Field(ge=0, le=255, description="Mean red inside that box, 0 to 255.")
    green: float = pa.Field(ge=0, le=255, description="Mean green inside that box, 0 to 255.")
    blue: float = pa.Field(ge=0, le=255, description="Mean blue inside that box, 0 to 255.")
    picture_hash: str = pa.Field(nullable=True, str_length=64, description="Perceptual hash, 256 bits in hex.")
    recipe: str = pa.Field(description="The settings it was computed with.")
