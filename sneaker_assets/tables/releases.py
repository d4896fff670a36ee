"""Announced shoes, their prices, and how right those were."""

import pandera.pandas as pa

from sneaker_assets.tables.base import DEAREST, LABEL_KINDS, Table, Timestamp


class Releases(Table):
    """One announced shoe that is not yet sold."""

    release: str = pa.Field(description="The partition key: site and product.")
    site: str = pa.Field(description="Site that announced it.")
    product_id: str = pa.Field(description="The site's own identifier of the product.")
    url: str = pa.Field(description="Page of the announcement.")
    title: str = pa.Field(description="Product title as announced.")
    brand: str = pa.Field(nullable=True, description="Brand as announced.")
    retail_amount: float = pa.Field(
        nullable=True, gt=0, description="Announced retail price, or the shop's own full price, in `currency`."
    )
    currency: str = pa.Field(nullable=True, str_length=3, description="ISO 4217; missing where none is named.")
    fx_rate: float = pa.Field(nullable=True, gt=0, description="US dollars for one unit of the currency.")
    fx_date: Timestamp = pa.Field(nullable=True, description="The day that rate was published.")
    retail_price: float = pa.Field(nullable=True, gt=0, le=DEAREST, description="Retail price, US dollars.")
    release_date: Timestamp = pa.Field(nullable=True, description="Announced release date (UTC midnight).")
    observed_at: Timestamp = pa.Field(description="When the announcement was read.")
    sha256: str = pa.Field(str_length=64, description="The image: sha256 of its bytes.")


class ReleasePredictions(Releases):
    """An announced shoe with the champion's price for it."""

    predicted_price: float = pa.Field(description="The champion's price, US dollars.")
    price_low: float = pa.Field(gt=0, description="Lower end of the 90 % interval, US dollars.")
    price_high: float = pa.Field(gt=0, description="Its upper end, US dollars.")
    premium: float = pa.Field(nullable=True, description="Predicted price over retail price, minus 1.")
    selling_costs: float = pa.Field(description="Fees and shipping of a sale at the predicted price, US dollars.")
    net_profit: float = pa.Field(nullable=True, description="What a sale leaves after them and retail, US dollars.")
    similar: str = pa.Field(description="The most similar shoes and their prices: a JSON array of objects.")
    predicted_at: Timestamp = pa.Field(description="When it was priced.")
    backbone: str = pa.Field(description="The champion's backbone.")
    model: str = pa.Field(description="The champion's folder, relative to the lake.")


class Backtest(Table):
    """A prediction beside what was paid or asked for the shoe later."""

    release: str = pa.Field(description="Site and product.")
    site: str = pa.Field(description="Site.")
    product_id: str = pa.Field(description="The site's own identifier of the product.")
    model: str = pa.Field(description="The model's folder, or how the replay fitted its own.")
    predicted_at: Timestamp = pa.Field(description="When it was priced.")
    observed_at: Timestamp = pa.Field(description="When a resale price was first seen after that.")
    horizon: float = pa.Field(ge=0, description="Days from the one to the other.")
    predicted_price: float = pa.Field(description="The prediction, US dollars.")
    price_low: float = pa.Field(gt=0, description="Lower end of the 90 % interval, US dollars.")
    price_high: float = pa.Field(gt=0, description="Its upper end, US dollars.")
    price: float = pa.Field(gt=0, le=DEAREST, description="The price that was seen, US dollars.")
    label_kind: str = pa.Field(isin=LABEL_KINDS, description="What that price means.")
    covered: bool = pa.Field(description="Whether it lies in the interval.")


class ReleaseReplay(Backtest):
    """Past releases priced as on the day they were announced, from what was known on that day."""

    known: int = pa.Field(ge=1, description="Shoes whose price was known on that day.")
