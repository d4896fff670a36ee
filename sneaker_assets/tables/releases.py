"""Announced releases, their predicted prices, and the back-test of the predictions."""

import pandera.pandas as pa

from sneaker_assets.tables.base import Table, Timestamp
from sneaker_assets.tables.values import LABEL_KINDS, MAX_PRICE


class Releases(Table):
    """One announced shoe that is not on sale yet."""

    release: str = pa.Field(description="Site and product, the partition key.")
    site: str = pa.Field(description="Site of the announcement.")
    product_id: str = pa.Field(description="Product identifier of the site.")
    url: str = pa.Field(description="Page of the announcement.")
    title: str = pa.Field(description="Product title as announced.")
    brand: str = pa.Field(nullable=True, description="Brand as announced.")
    style_code: str = pa.Field(nullable=True, description="Manufacturer's style code as announced.")
    retail_amount: float = pa.Field(
        nullable=True, gt=0, description="Announced retail price, or the shop's regular price, in `currency`."
    )
    currency: str = pa.Field(nullable=True, str_length=3, description="ISO 4217 currency; missing if not stated.")
    fx_rate: float = pa.Field(nullable=True, gt=0, description="US dollars per unit of the currency.")
    fx_date: Timestamp = pa.Field(nullable=True, description="Day on which the rate was published.")
    retail_price: float = pa.Field(nullable=True, gt=0, le=MAX_PRICE, description="Retail price, US dollars.")
    release_date: Timestamp = pa.Field(nullable=True, description="Announced release date (UTC midnight).")
    observed_at: Timestamp = pa.Field(description="Time at which the announcement was read.")
    sha256: str = pa.Field(str_length=64, description="SHA-256 of the image file.")

    class Config:
        """Columns added since may be missing in stored tables."""

        add_missing_columns = True


class ReleasePredictions(Releases):
    """Announced shoes with the price predicted by the champion."""

    predicted_price: float = pa.Field(description="Predicted price, US dollars.")
    price_low: float = pa.Field(gt=0, description="Lower end of the 90 % interval, US dollars.")
    price_high: float = pa.Field(gt=0, description="Upper end of the 90 % interval, US dollars.")
    premium: float = pa.Field(nullable=True, description="Predicted price divided by retail price, minus 1.")
    selling_costs: float = pa.Field(description="Fees and shipping of a sale at the predicted price, US dollars.")
    net_profit: float = pa.Field(
        nullable=True, description="Predicted price minus selling costs and retail price, US dollars."
    )
    similar: str = pa.Field(description="Most similar known shoes and their prices, a JSON array of objects.")
    predicted_at: Timestamp = pa.Field(description="Time of the prediction.")
    backbone: str = pa.Field(description="Backbone of the champion.")
    model: str = pa.Field(description="Folder of the champion, relative to the lake.")


class Backtest(Table):
    """Predictions compared with the resale prices observed later."""

    release: str = pa.Field(description="Site and product.")
    site: str = pa.Field(description="Site.")
    product_id: str = pa.Field(description="Product identifier of the site.")
    model: str = pa.Field(description="Folder of the model, or the training procedure in a replay.")
    predicted_at: Timestamp = pa.Field(description="Time of the prediction.")
    observed_at: Timestamp = pa.Field(description="Time of the first resale price observed after the prediction.")
    horizon: float = pa.Field(ge=0, description="Days between prediction and observation.")
    predicted_price: float = pa.Field(description="Predicted price, US dollars.")
    price_low: float = pa.Field(gt=0, description="Lower end of the 90 % interval, US dollars.")
    price_high: float = pa.Field(gt=0, description="Upper end of the 90 % interval, US dollars.")
    price: float = pa.Field(gt=0, le=MAX_PRICE, description="Observed price, US dollars.")
    label_kind: str = pa.Field(isin=LABEL_KINDS, description="Meaning of the observed price.")
    covered: bool = pa.Field(description="Whether the observed price lies in the interval.")
    price_site: str = pa.Field(
        nullable=True, description="Site at which the price was observed; another than `site` has the same style code."
    )

    class Config:
        """Columns added since may be missing in stored tables."""

        add_missing_columns = True


class ReleaseReplay(Backtest):
    """Past releases priced with the data that was available on the day of their announcement."""

    known: int = pa.Field(ge=1, description="Number of shoes with a known price on that day.")
