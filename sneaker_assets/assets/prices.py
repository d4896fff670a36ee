"""Exchange rates, and the price history in US dollars with its trends; none of it needs pictures."""

import dagster as dg
import pandas as pd
from pydantic import Field

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.checks import Events, blocking_check, check_result, publish, warning_check
from sneaker_assets.assets.metadata import OWNERS, code_version, column_schema, preview, show_figure
from sneaker_assets.market.currency import DOLLAR, ECB_HISTORY, bundled_rates, fetch_rates
from sneaker_assets.market.observations import price_history
from sneaker_assets.market.price_trends import price_trends as quartiles
from sneaker_assets.resources import LakeResource, ListingSourceResource


class RatesConfig(dg.Config):
    """Where the exchange rates come from."""

    url: str = Field(
        default=ECB_HISTORY, description="Address of the European Central Bank's reference rates, CSV or zip."
    )
    fetch: bool | None = Field(
        default=None,
        description="Whether to download the rates. Default: only if a source crawls real sites; the bundled rates "
        "are used otherwise.",
    )


class PriceHistoryConfig(dg.Config):
    """Thresholds of the checks of the price history."""

    max_errors: float = Field(
        default=0.05, ge=0, le=1, description="Maximum share of amounts that cannot be converted to US dollars."
    )
    max_rate_age_days: float = Field(
        default=45, gt=0, description="Maximum age in days of an exchange rate on the day of the price."
    )


_ERRORS = blocking_check(
    "price_observations", "amounts_are_converted", "Few amounts are unreadable or have an unknown currency."
)
_RATE_AGE = warning_check("price_observations", "rates_are_recent", "No price is converted at an outdated rate.")


@dg.asset(
    group_name=groups.RATES,
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    pool="crawl",
    metadata=column_schema("fx_rates"),
    code_version=code_version("fx_rates", code_versions.RATES),
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
)
def fx_rates(config: RatesConfig, listing_source: ListingSourceResource) -> dg.Output[pd.DataFrame]:
    """Exchange rates to US dollars: the reference rates of the European Central Bank."""
    fetched = listing_source.crawls if config.fetch is None else config.fetch
    table = fetch_rates(config.url) if fetched else bundled_rates()
    return dg.Output(
        table,
        metadata={
            "rates": config.url if fetched else "bundled, the last publication of each month",
            "currencies": sorted(table["currency"].unique()),
            "first_day": str(table["date"].min().date()),
            "last_day": str(table["date"].max().date()),
        },
    )


@dg.asset(
    group_name=groups.PRICES,
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    metadata=column_schema("price_observations"),
    code_version=code_version("price_observations", code_versions.PRICE_HISTORY),
    check_specs=[_ERRORS, _RATE_AGE],
)
def price_observations(raw_scrapes: pd.DataFrame, fx_rates: pd.DataFrame, config: PriceHistoryConfig) -> Events:
    """The price history of every product in US dollars, with the exchange rate of each amount and its date."""
    table = price_history(raw_scrapes, fx_rates)
    wrong = table["problem"].notna()
    errors = float(wrong.sum() / max(1, (table["amount"].notna() | wrong).sum()))
    foreign = table[table["fx_rate"].notna() & (table["currency"] != DOLLAR)]
    days = (foreign["observed_at"] - foreign["fx_date"]).max() / pd.Timedelta(days=1) if len(foreign) else 0.0
    problems = table.loc[wrong, "problem"].value_counts().to_dict()
    currencies = table["currency"].value_counts().to_dict()
    shown = preview(table[wrong], ["site", "product_id", "amount", "currency", "problem"])
    output = dg.Output(
        table,
        metadata={
            "currencies": currencies,
            "label_kinds": table["label_kind"].value_counts().to_dict(),
            "errors": int(wrong.sum()),
            "error_rows": shown,
        },
    )
    yield from publish(
        [output],
        [
            check_result(
                _ERRORS,
                not wrong.any(),
                severity=dg.AssetCheckSeverity.WARN if errors <= config.max_errors else None,
                errors=int(wrong.sum()),
                share=errors,
                max_errors=config.max_errors,
                problems=problems,
            ),
            check_result(_RATE_AGE, days <= config.max_rate_age_days, max_rate_age_days=float(days)),
        ],
    )


@dg.asset(
    group_name=groups.PRICES,
    kinds={"pandas", "parquet", "matplotlib"},
    owners=OWNERS,
    metadata=column_schema("price_trends"),
    code_version=code_version("price_trends", code_versions.PRICE_TRENDS),
)
def price_trends(price_observations: pd.DataFrame, lake: LakeResource) -> dg.Output[pd.DataFrame]:
    """Quartiles of the prices of each site, kind and condition, by month and over all months."""
    table = quartiles(price_observations)
    overall = table[table["month"].isna()]
    folder = lake.open().folder("figures", "price_trends")
    return dg.Output(
        table,
        metadata={
            "prices": int(overall["n_prices"].sum()),
            "products": len(price_observations[["site", "product_id"]].drop_duplicates()),
            "months": int(table["month"].nunique()),
            "overall": preview(overall.drop(columns="month"), rows=50),
            **show_figure(folder, "price_trends", figures.price_trends(table)),
        },
    )
