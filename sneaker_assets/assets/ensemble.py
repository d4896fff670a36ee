"""The ensemble of all backbones' price models, and its evaluation."""

from collections.abc import Iterable, Iterator

import dagster as dg
import pandas as pd
from upath import UPath

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.checks import check_result
from sneaker_assets.assets.evaluation import with_label_kinds
from sneaker_assets.assets.evaluation_checks import check_evaluation, evaluation_checks
from sneaker_assets.assets.metadata import OWNERS, code_version, column_names, column_schema, preview, show_figure
from sneaker_assets.resources import OPTIONAL_INPUT, LakeResource, TrackingResource
from sneaker_assets.vision.settings import EnsembleSettings

_NO_ENSEMBLE = "there is no ensemble: its models are fewer than two, or the best one alone is as good"


class EnsembleConfig(EnsembleSettings, dg.Config):
    """Which models the ensemble contains."""


@dg.asset(
    ins={"finetuned_price_model": dg.AssetIn(metadata=OPTIONAL_INPUT)},
    group_name=groups.CHAMPION,
    kinds={"pytorch"},
    owners=OWNERS,
    code_version=code_version("ensemble_price_model", code_versions.ENSEMBLE),
)
def ensemble_price_model(
    context: dg.AssetExecutionContext,
    price_model: dict[str, UPath],
    finetuned_price_model: dict[str, UPath],
    splits: pd.DataFrame,
    *,
    config: EnsembleConfig,
    lake: LakeResource,
    tracking: TrackingResource,
) -> dg.Output[UPath]:
    """The weighted mean of all backbones' models with the lowest validation error; the best model where it is as good.

    Only models of the current rows take part; without any, the ensemble of before stays.

    Raises:
        dagster.Failure: No price model can be read.
    """
    from sneaker_assets.vision.pricing.ensemble import train_ensemble, usable_members
    from sneaker_assets.vision.pricing.ensemble_model import ENSEMBLE

    tracker, here = tracking.open(context), lake.open()
    frozen = {f"price_model [{backbone}]": folder for backbone, folder in price_model.items()}
    tuned = {f"finetuned_price_model [{backbone}]": folder for backbone, folder in finetuned_price_model.items()}
    candidates, left_out = usable_members(frozen | tuned, splits)
    for source, reason in left_out.items():
        context.log.warning("%s is not in the ensemble: %s", source, reason)
    left = {"left_out": preview(pd.DataFrame(left_out.items(), columns=["model", "reason"]))} if left_out else {}
    if not candidates:
        kept = _first_readable([here.referenced("ensemble_price_model"), *price_model.values()])
        return dg.Output(kept, metadata={"trained_now": False, "candidates": 0, **left})
    settings = EnsembleSettings.part_of(config)
    model, trained = train_ensemble(here.folder("models", ENSEMBLE), candidates, splits, settings)
    counts = {"candidates": len(candidates), "members": len(model.members)}
    if len(model.members) == 1:
        return dg.Output(model.folder, metadata={"trained_now": trained, **counts, **left, "note": _NO_ENSEMBLE})
    card, shares = (model.folder / "card.md").read_text(), model.history()
    params = settings.model_dump() | {"share": dict(zip(shares["model"], shares["share"], strict=True))}
    return dg.Output(
        model.folder,
        metadata={
            "trained_now": trained,
            **counts,
            **left,
            **model.metrics(),
            "shares": preview(shares),
            "card": dg.MetadataValue.md(card),
            **tracker.log(model.folder, params, model.metrics(), trained=trained, note=card),
        },
    )


def _first_readable(folders: Iterable[UPath | None]) -> UPath:
    """The first of the folders whose model can be read.

    Raises:
        dagster.Failure: There is none.
    """
    from sneaker_assets.vision.pricing.ensemble_model import load_model
    from sneaker_assets.vision.pricing.price_model import ModelError

    problem = "there is no price model: materialize price_model first"
    for folder in filter(None, folders):
        try:
            load_model(folder)
        except ModelError as error:
            problem = str(error)
        else:
            return folder
    raise dg.Failure(problem, allow_retries=False)


@dg.asset(
    group_name=groups.CHAMPION,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    metadata=column_schema("ensemble_evaluation"),
    code_version=code_version("ensemble_evaluation", code_versions.EVALUATION),
    check_specs=evaluation_checks("ensemble_evaluation"),
)
def ensemble_evaluation(
    ensemble_price_model: UPath, splits: pd.DataFrame, clean_listings: pd.DataFrame, *, lake: LakeResource
) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
    """Errors of the ensemble and of baselines, as in evaluation_metrics; no rows where there is no ensemble."""
    from sneaker_assets.vision.evaluation.evaluate import (
        count_near_duplicates_in_train,
        evaluate,
        predict_listings,
        rmse_by_split,
    )
    from sneaker_assets.vision.evaluation.model_card import model_card
    from sneaker_assets.vision.pricing.ensemble_model import load_model

    model = load_model(ensemble_price_model)
    if len(model.members) == 1:
        empty = pd.DataFrame(columns=column_names("ensemble_evaluation"))
        yield dg.Output(empty, metadata={"note": _NO_ENSEMBLE})
        for check in evaluation_checks("ensemble_evaluation"):
            yield check_result(check, passed=True, note=_NO_ENSEMBLE)
        return
    predictions = predict_listings(model, with_label_kinds(splits, clean_listings))
    table, leaks = evaluate(model, predictions, model.name), count_near_duplicates_in_train(splits)
    title, drawn = "ensemble: held-out listings", predictions.rename(columns={"model": "predicted"})
    folder = lake.open().folder("figures", "ensemble_evaluation")
    yield dg.Output(
        table,
        metadata={
            "weights": str(model.weights),
            "rmse": rmse_by_split(table),
            "card": dg.MetadataValue.md(model_card((model.folder / "card.md").read_text(), table, leaks)),
            **show_figure(folder, "predictions", figures.predicted_against_actual(drawn, title)),
            **show_figure(folder, "residuals", figures.residuals_and_calibration(drawn[drawn["split"] == "test"])),
        },
    )
    yield from check_evaluation("ensemble_evaluation", table, leaks)
