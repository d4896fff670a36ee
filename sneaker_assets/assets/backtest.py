"""Back-tests: predictions against the prices observed later, and a replay of a past year's releases."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.checks import check_result, warning_check
from sneaker_assets.assets.metadata import OWNERS, code_version, column_schema, preview, show_figure
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.lake import Lake, write_bytes
from sneaker_assets.market import backtest
from sneaker_assets.market.observations import known_products
from sneaker_assets.resources import ComputeResource, LakeResource, ListingSourceResource


class BacktestConfig(dg.Config):
    """Thresholds of the checks of predictions."""

    min_rows: int = Field(default=20, gt=0, description="Number of pairs below which the checks pass.")
    min_coverage: float = Field(default=0.8, ge=0, le=1, description="Minimum coverage of the 90 % intervals.")
    min_p_value: float = Field(
        default=0.001,
        ge=0,
        le=1,
        description="Kolmogorov-Smirnov test: p-value below which later residuals count as changed.",
    )


class ReplayConfig(BacktestConfig):
    """How past releases are replayed."""

    refit_every_days: int = Field(default=7, gt=0, description="Days between two fits of the head.")
    n_shop_releases: int = Field(
        default=183, gt=0, description="Number of the offline shop's releases; the default covers a year."
    )
    lead_days: float = Field(
        default=14, gt=0, description="Days before its release at which a shoe is priced; the offline shop has its own."
    )


def _checks(asset: str) -> tuple[dg.AssetCheckSpec, dg.AssetCheckSpec]:
    return (
        warning_check(asset, "intervals_hold", "90 % intervals contain enough of the prices observed later."),
        warning_check(asset, "no_drift", "Late residuals are distributed as early ones (Kolmogorov-Smirnov)."),
    )


_BACKTEST_CHECKS, _REPLAY_CHECKS = _checks("prediction_backtest"), _checks("release_replay")


@dg.asset(
    group_name=groups.BACKTEST,
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    metadata=column_schema("prediction_backtest"),
    code_version=code_version("prediction_backtest", code_versions.BACKTEST),
    check_specs=_BACKTEST_CHECKS,
)
def prediction_backtest(
    release_predictions: pd.DataFrame,
    price_observations: pd.DataFrame,
    raw_scrapes: pd.DataFrame,
    *,
    config: BacktestConfig,
    lake: LakeResource,
) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
    """Each prediction with the first resale price of its shoe observed after it, at its own or at another site."""
    paired = backtest.pair_predictions(release_predictions, price_observations, known_products(raw_scrapes))
    folder = lake.open().folder("figures", "prediction_backtest")
    yield from _outputs(
        paired, folder, f"{len(paired)} of {len(release_predictions)} releases", config, _BACKTEST_CHECKS
    )


@dg.asset(
    partitions_def=backbone_partitions,
    group_name=groups.REPLAY,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    pool="gpu",
    metadata=column_schema("release_replay"),
    code_version=code_version("release_replay", code_versions.REPLAY),
    check_specs=_REPLAY_CHECKS,
)
def release_replay(
    context: dg.AssetExecutionContext,
    image_features: UPath,
    listings: pd.DataFrame,
    price_observations: pd.DataFrame,
    config: ReplayConfig,
    *,
    compute: ComputeResource,
    listing_source: ListingSourceResource,
    lake: LakeResource,
) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
    """Past releases priced with the data known on the day of their announcement; a whole year of the offline shop."""
    from sneaker_assets.vision.evaluation.replay import add_missing_features, replay
    from sneaker_assets.vision.features.store import FeatureStore

    here, store = lake.open(), FeatureStore.open(image_features)
    if listing_source.is_demo:
        shoes = _shop_calendar(listing_source, config.n_shop_releases, listings, here)
        images = {sha256: here.image(sha256) for sha256 in shoes["sha256"]}
        add_missing_features(store, images, compute.weights_folder, compute.torch_device())
    else:
        shoes = backtest.dated_shoes(listings, price_observations, config.lead_days)
    table = replay(shoes, store.gather_views(shoes["sha256"].tolist()), config.refit_every_days)
    folder = here.folder("figures", "release_replay", context.partition_key)
    yield from _outputs(
        table, folder, f"{len(table)} of {shoes['asked_at'].notna().sum()} releases", config, _REPLAY_CHECKS
    )


def _shop_calendar(source: ListingSourceResource, n_releases: int, listings: pd.DataFrame, lake: Lake) -> pd.DataFrame:
    """The shop's calendar; images that were not crawled are drawn and stored in the lake.

    Raises:
        ValueError: Two listings are of the same product.
    """
    import hashlib

    from sneaker_assets.demo_shop import calendar

    products = calendar.priced_products(source.demo_products, source.demo_seed, n_releases)
    crawled = {
        (site, product_id): sha256
        for site, product_id, sha256 in zip(listings["site"], listings["product_id"], listings["sha256"], strict=True)
    }
    if len(crawled) < len(listings):
        raise ValueError(f"{len(listings) - len(crawled)} listings repeat the product of another one")
    names = []
    for product in products:
        name = crawled.get((product.site, product.product_id))
        if name is None:
            drawn = calendar.picture(product)
            name = hashlib.sha256(drawn).hexdigest()
            if not lake.image(name).exists():
                write_bytes(lake.image(name), drawn)
        names.append(name)
    return calendar.dates(products).assign(sha256=names)


def _outputs(
    paired: pd.DataFrame,
    folder: UPath,
    title: str,
    config: BacktestConfig,
    checks: tuple[dg.AssetCheckSpec, dg.AssetCheckSpec],
) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
    """The table with its scores and figure, and the check results."""
    scores = backtest.score_backtest(paired)
    overall = {name: float(scores[name].iloc[0]) for name in ("median_ape", "bias", "coverage") if len(scores)}
    yield dg.Output(
        paired,
        metadata={
            "pairs": len(paired),
            **overall,
            "scores": preview(scores, rows=40),
            "rows": preview(paired, ["release", "horizon", "predicted_price", "price_low", "price_high", "price"]),
            **show_figure(folder, "backtest", figures.backtest(paired, scores, title)),
        },
    )
    enough = len(paired) >= config.min_rows
    coverage = float(paired["covered"].mean()) if len(paired) else 1.0
    statistic, p_value = backtest.residual_drift(paired)
    intervals_hold, no_drift = checks
    yield check_result(
        intervals_hold, not enough or coverage >= config.min_coverage, coverage=coverage, rows=len(paired)
    )
    same_distribution = p_value >= config.min_p_value
    yield check_result(
        no_drift, not enough or same_distribution, ks_statistic=statistic, ks_p_value=p_value, rows=len(paired)
    )
