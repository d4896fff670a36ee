"""The schema of every table in the lake, one pandera model each.

Validation before a write, the column schema that Dagster shows and the README's data dictionary all come from here.
How a table is stored is ``lake``'s concern; how its rows come about is the domain's.

pandera: https://pandera.readthedocs.io/en/stable/dataframe_models.html
"""

from typing import Annotated, Literal, get_args

import pandas as pd
import pandera.pandas as pa

LabelKind = Literal["average_sale", "last_sale", "lowest_ask", "highest_bid", "list", "sale", "retail", "unknown"]
"""What a price means; ``list`` is the shop's own price, ``sale`` its reduced one, ``unknown`` was never said."""

LABEL_KINDS: tuple[LabelKind, ...] = get_args(LabelKind)
SPLITS = ("train", "validation", "test")

Timestamp = Annotated[pd.DatetimeTZDtype, "us", "UTC"]


class Table(pa.DataFrameModel):
    """What all tables share: no unknown column, columns in order, values converted to their dtype."""

    class Config:
        """pandera's settings for every table."""

        strict = True
        ordered = True
        coerce = True


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
    retail_price: float = pa.Field(nullable=True, gt=0, description="Retail price at release, in `currency`.")
    release_date: Timestamp = pa.Field(nullable=True, description="Release date (UTC midnight).")
    amount: float = pa.Field(nullable=True, gt=0, description="Observed price in `currency`; missing, never 0.")
    currency: str = pa.Field(nullable=True, str_length=3, description="ISO 4217 currency of the amounts.")
    label_kind: str = pa.Field(isin=LABEL_KINDS, description="What the amount means.")
    size: str = pa.Field(nullable=True, description="Shoe size the amount is for; missing where it is for the product.")
    observed_at: Timestamp = pa.Field(description="When the page was read.")
    raw_text: str = pa.Field(nullable=True, description="The amount as the page wrote it.")
    generation: str = pa.Field(description="Which generation of the site's page the adapter read.")


class Images(Table):
    """One product image address and what became of it."""

    site: str = pa.Field(description="Source site, the partition key.")
    image_url: str = pa.Field(unique=True, description="Address of the image.")
    sha256: str = pa.Field(
        nullable=True, str_length=64, description="sha256 of the bytes; missing where there is none."
    )
    n_bytes: int = pa.Field(ge=0, description="Size of the file in bytes.")
    width: int = pa.Field(ge=0, description="Width in pixels, 0 where it does not decode.")
    height: int = pa.Field(ge=0, description="Height in pixels, 0 where it does not decode.")
    problem: str = pa.Field(nullable=True, description="Why there is no usable image, in one line.")
