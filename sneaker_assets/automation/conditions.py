"""Automation conditions: when an asset is materialized without a schedule, a sensor or a person.

Crawls are scheduled; everything after them is conditioned, in runs that Dagster groups: one for the data set, one for
each backbone in use. Backbones and price bands are in use because the settings name them: what was never trained is
trained as soon as its inputs exist, a GAN at the next time of its weekly cron. Hyperparameter search, fine-tuning,
explanations and exports are run by hand. A failed run is not repeated until its inputs change again.

Dagster: https://docs.dagster.io/guides/automate/declarative-automation
"""

import warnings
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import dagster as dg

from sneaker_assets.assets import groups
from sneaker_assets.automation.custom_conditions import CrawlPending, NewImages, TrainingRowsChanged
from sneaker_assets.settings.automation import AutomationSettings

Condition = dg.AutomationCondition[Any]


def conditions_by_group(settings: AutomationSettings) -> dict[str, Condition]:
    """Conditions that hold for every asset of a group.

    Args:
        settings: Crons and thresholds of the conditions.

    Returns:
        Conditions by asset group.
    """
    return {
        groups.RATES: _rates(settings),
        groups.PRICES: _after_crawls(settings),
        groups.DATA_SET: _after_crawls(settings),
        groups.FEATURES: _new_images(settings),
        groups.TRAINING: _retraining_due(settings),
        # New listings are evaluated too.
        groups.EVALUATION: (_new_or_updated("price_model", "clean_listings") & _idle()).with_label(
            "model_trained_or_listings_updated"
        ),
        groups.GAN_COMPARISON: (_updated("gan_evaluation") & _idle()).with_label("gan_evaluated"),
        groups.BACKTEST: (_materialized() & _updated("price_observations") & _idle()).with_label("prices_observed"),
    }


def conditions_by_asset(settings: AutomationSettings) -> dict[str, Condition]:
    """Conditions of single assets, for groups whose assets do not share one.

    Args:
        settings: Crons and thresholds of the conditions.

    Returns:
        Conditions by asset name; they take precedence over those of the group.
    """
    return {
        # Rows alone do not change the ranking; everything else that it depends on is an evaluation.
        "model_leaderboard": (_updated_except("splits") & _idle()).with_label("model_evaluated"),
        "ensemble_price_model": _members_trained(),
        "ensemble_evaluation": _members_evaluated(),
        "similarity_index": (_updated("model_leaderboard") & _idle()).with_label("champion_chosen"),
        "gan_checkpoints": _weekly(settings),
        # Trained again only where somebody has asked for it before.
        "conditional_gan_checkpoints": (_materialized() & _weekly(settings)).with_label("weekly_training_due"),
        "conditional_gan_evaluation": (_new_or_updated("conditional_gan_checkpoints") & _idle()).with_label(
            "gan_trained"
        ),
        "gan_evaluation": (_new_or_updated("gan_checkpoints") & _idle()).with_label("gan_trained"),
    }


def with_conditions(assets: Iterable[Any], settings: AutomationSettings) -> list[Any]:
    """The same assets with their automation conditions, and a freshness policy for trained models.

    Args:
        assets: Asset and asset check definitions; checks are returned as they are.
        settings: Crons and thresholds of the conditions.
    """
    by_group, by_asset = conditions_by_group(settings), conditions_by_asset(settings)
    stale = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=settings.retrain_days))

    def conditioned(spec: dg.AssetSpec) -> dg.AssetSpec:
        condition = by_asset.get(spec.key.to_user_string(), by_group.get(spec.group_name or ""))
        if spec.group_name == groups.TRAINING:
            spec = spec.replace_attributes(freshness_policy=stale)
        return spec.replace_attributes(automation_condition=condition)

    return list(dg.map_asset_specs(conditioned, assets))


def condition_sensor(settings: AutomationSettings) -> dg.AutomationConditionSensorDefinition:
    """The sensor that evaluates the conditions, stopped by default.

    It runs in the user code server, where custom conditions can be evaluated; that is a beta feature of Dagster.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.AutomationConditionSensorDefinition(
            "follow_changes",
            target=dg.AssetSelection.all(),
            use_user_code_server=True,
            minimum_interval_seconds=min(30, settings.watch_seconds),
            default_status=dg.DefaultSensorStatus.STOPPED,
            description="Rebuild the data set once the due crawls are done, and retrain the affected models.",
        )


def _rates(settings: AutomationSettings) -> Condition:
    ticked = dg.AutomationCondition.cron_tick_passed(settings.rates_cron, settings.time_zone)
    return (dg.AutomationCondition.missing().newly_true() | ticked).with_label("rates_published")


def _after_crawls(settings: AutomationSettings) -> Condition:
    """An input has changed, none is being materialized, and no crawl is running, or due and within its patience.

    A site that was never crawled does not count as missing, since it would block the others indefinitely. New rates
    alone do not trigger a rebuild.
    """
    site_assets = dg.AssetSelection.assets("raw_scrapes", "scraped_images")
    changed = dg.AutomationCondition.any_deps_updated().ignore(dg.AssetSelection.assets("fx_rates"))
    missing = dg.AutomationCondition.any_deps_missing().ignore(site_assets)
    return (changed.since_last_handled() & ~missing & ~_pending(settings) & _idle()).with_label("due_crawls_done")


def _new_images(settings: AutomationSettings) -> Condition:
    found = (_never_requested() | _updated("scraped_images")) & NewImages()
    return (found & ~_pending(settings) & _idle()).with_label("new_images")


def _retraining_due(settings: AutomationSettings) -> Condition:
    rows = _updated("splits", "clean_listings") & TrainingRowsChanged(settings.retrain_share, settings.price_tolerance)
    stale: Condition = dg.AutomationCondition.freshness_failed().newly_true()
    again = _materialized() & stale.since_last_handled()
    return ((_never_requested() | rows | again) & ~_inputs_missing() & _idle()).with_label("training_due")


def _members_trained() -> Condition:
    """Frozen models were trained and evaluated, or a fine-tuned one was trained."""
    trained = (_changed("price_model") & _changed("evaluation_metrics")) | _changed("finetuned_price_model")
    return (trained & ~_being_evaluated() & _idle()).with_label("members_trained")


def _members_evaluated() -> Condition:
    """The ensemble was trained, or the models of the backbones were evaluated: all are ranked together."""
    due = (_changed("evaluation_metrics") | _updated("ensemble_price_model")) & ~_inputs_missing()
    return (due & ~_being_evaluated() & _idle()).with_label("members_evaluated")


def _changed(other: str) -> Condition:
    """A partition of the other asset was materialized since this one was last materialized or requested."""
    # Not `_updated`: Dagster keeps one state for all of those in a condition, whichever inputs they name.
    updated: Condition = dg.AutomationCondition.asset_matches(other, dg.AutomationCondition.newly_updated())
    return updated.since_last_handled()


def _being_evaluated() -> Condition:
    return dg.AutomationCondition.asset_matches("evaluation_metrics", dg.AutomationCondition.in_progress())


def _weekly(settings: AutomationSettings) -> Condition:
    ticked: Condition = dg.AutomationCondition.cron_tick_passed(settings.gan_cron, settings.time_zone)
    return (ticked.since_last_handled() & _new_or_updated("splits") & _idle()).with_label("weekly_training_due")


def _materialized() -> Condition:
    return ~dg.AutomationCondition.missing()


def _never_requested() -> Condition:
    """The partition is missing, and was not requested since it was found to be: a failed request is not repeated."""
    handled = dg.AutomationCondition.newly_requested() | dg.AutomationCondition.newly_updated()
    return dg.AutomationCondition.missing().newly_true().since(handled).with_label("never_requested")


def _new_or_updated(*inputs: str) -> Condition:
    """The asset was never requested, or one of these inputs has changed since; and all of its inputs exist."""
    return (_never_requested() | _updated(*inputs)) & ~_inputs_missing()


def _inputs_missing() -> Condition:
    """A required input was never materialized."""
    optional = dg.AssetSelection.assets("tuned_hyperparameters")
    return dg.AutomationCondition.any_deps_missing().ignore(optional)


def _updated_except(*inputs: str) -> Condition:
    """An input other than these has changed since the asset was last materialized or requested."""
    return dg.AutomationCondition.any_deps_updated().ignore(dg.AssetSelection.assets(*inputs)).since_last_handled()


def _updated(*inputs: str) -> Condition:
    """One of these inputs has changed since the asset was last materialized or requested."""
    return dg.AutomationCondition.any_deps_updated().allow(dg.AssetSelection.assets(*inputs)).since_last_handled()


def _idle() -> Condition:
    """Neither the asset nor any of its inputs is being materialized."""
    return ~dg.AutomationCondition.any_deps_in_progress() & ~dg.AutomationCondition.in_progress()


def _pending(settings: AutomationSettings) -> Condition:
    return dg.AutomationCondition.any_deps_match(CrawlPending(settings)).with_label("crawl_pending")
