"""What follows by itself once its inputs have really changed: one automation condition an asset, all of them here.

A crawl is scheduled; everything after it is conditioned, in runs that Dagster puts together: one of the data set, one
of each backbone in use. Nothing is trained for a backbone or a price band that nobody has trained before. A run that
failed is not repeated until its inputs change again.

Dagster: https://docs.dagster.io/guides/automate/declarative-automation
"""

import warnings
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import dagster as dg

from sneaker_assets.automation.custom_conditions import CrawlPending, NewImages, TrainingRowsChanged
from sneaker_assets.automation.settings import AutomationSettings

Condition = dg.AutomationCondition[Any]

DATA_SET = (
    "price_observations",
    "image_properties",
    "listings",
    "clean_listings",
    "removed_listings",
    "price_fences",
    "twin_conflicts",
    "price_statistics",
    "splits",
)
MODEL = ("price_model", "trained_rows", "leak_report", "outlier_ablation")


def conditions(settings: AutomationSettings) -> dict[str, Condition]:
    """Asset name to what makes it run by itself; what is not here waits for a schedule, a sensor or a person."""
    return {
        "fx_rates": _rates(settings),
        **dict.fromkeys(DATA_SET, _when_crawls_are_done(settings)),
        "image_features": _when_there_are_new_images(settings),
        **dict.fromkeys(MODEL, _when_retraining_is_due(settings)),
        # New listings are judged too, and join the shoes that a picture is compared with.
        "evaluation_metrics": (_in_use() & _updated("price_model", "clean_listings") & _quiet()).with_label(
            "model_was_trained_or_listings_came"
        ),
        "model_leaderboard": (_updated("evaluation_metrics", "finetuned_evaluation") & _quiet()).with_label(
            "model_was_evaluated"
        ),
        "gan_checkpoints": _weekly(settings),
        "gan_evaluation": (_in_use() & _updated("gan_checkpoints") & _quiet()).with_label("gan_was_trained"),
        "gan_colour_comparison": (_updated("gan_evaluation") & _quiet()).with_label("gan_was_judged"),
        "prediction_backtest": (_in_use() & _updated("price_observations") & _quiet()).with_label("prices_were_seen"),
    }


def with_conditions(assets: Iterable[Any], settings: AutomationSettings) -> list[Any]:
    """The same assets, each with what makes it run by itself."""
    by_asset = conditions(settings)
    lapses = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=settings.retrain_days))

    def conditioned(spec: dg.AssetSpec) -> dg.AssetSpec:
        name = spec.key.to_user_string()
        if name in MODEL:
            spec = spec.replace_attributes(freshness_policy=lapses)
        return spec.replace_attributes(automation_condition=by_asset.get(name))

    return list(dg.map_asset_specs(conditioned, assets))


def condition_sensor(settings: AutomationSettings) -> dg.AutomationConditionSensorDefinition:
    """What evaluates the conditions; off until switched on.

    In the project's own process, where conditions of our own can be evaluated: Dagster calls that beta.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.AutomationConditionSensorDefinition(
            "follow_changes",
            target=dg.AssetSelection.all(),
            use_user_code_server=True,
            minimum_interval_seconds=min(30, settings.watch_seconds),
            default_status=dg.DefaultSensorStatus.STOPPED,
            description="Build the data set once the sites due have been crawled, and train on what really changed.",
        )


def _rates(settings: AutomationSettings) -> Condition:
    ticked = dg.AutomationCondition.cron_tick_passed(settings.rates_cron, settings.time_zone)
    return (dg.AutomationCondition.missing().newly_true() | ticked).with_label("rates_were_published")


def _when_crawls_are_done(settings: AutomationSettings) -> Condition:
    """Some input has changed, none is being made, and no crawl is under way, or due and still in time.

    A site that was never crawled does not count as missing, or it would hold up the others for ever; new rates alone
    are no reason either.
    """
    of_sites = dg.AssetSelection.assets("raw_scrapes", "scraped_images")
    changed = dg.AutomationCondition.any_deps_updated().ignore(dg.AssetSelection.assets("fx_rates"))
    missing = dg.AutomationCondition.any_deps_missing().ignore(of_sites)
    return (changed.since_last_handled() & ~missing & ~_pending(settings) & _quiet()).with_label(
        "sites_due_were_crawled"
    )


def _when_there_are_new_images(settings: AutomationSettings) -> Condition:
    return (_in_use() & _updated("scraped_images") & NewImages() & ~_pending(settings) & _quiet()).with_label(
        "new_images_came"
    )


def _when_retraining_is_due(settings: AutomationSettings) -> Condition:
    rows = _updated("splits", "clean_listings") & TrainingRowsChanged(settings.retrain_share, settings.price_tolerance)
    lapsed: Condition = dg.AutomationCondition.freshness_failed().newly_true()
    return (_in_use() & (rows | lapsed.since_last_handled()) & _quiet()).with_label("retraining_is_due")


def _weekly(settings: AutomationSettings) -> Condition:
    ticked: Condition = dg.AutomationCondition.cron_tick_passed(settings.gan_cron, settings.time_zone)
    return (_in_use() & ticked.since_last_handled() & _updated("splits") & _quiet()).with_label("week_of_new_listings")


def _in_use() -> Condition:
    """The partition was made before: somebody chose that backbone or that price band."""
    return ~dg.AutomationCondition.missing()


def _updated(*inputs: str) -> Condition:
    """One of these inputs has changed since the asset was last made or asked for."""
    return dg.AutomationCondition.any_deps_updated().allow(dg.AssetSelection.assets(*inputs)).since_last_handled()


def _quiet() -> Condition:
    """Neither the asset nor an input of it is being made."""
    return ~dg.AutomationCondition.any_deps_in_progress() & ~dg.AutomationCondition.in_progress()


def _pending(settings: AutomationSettings) -> Condition:
    return dg.AutomationCondition.any_deps_match(CrawlPending(settings)).with_label("some_crawl_is_pending")
