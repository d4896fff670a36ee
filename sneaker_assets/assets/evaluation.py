"""Evaluation of the price models, and the leaderboard that names the champion."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import code_versions, figures
from sneaker_assets.assets import groups
from sneaker_assets.assets.evaluation_checks import check_evaluation, evaluation_checks
from sneaker_assets.assets.metadata import OWNERS, code_version, column_schema, preview, show_figure
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.lake import write_bytes
from sneaker_assets.resources import OPTIONAL_INPUT, PARTIAL_INPUT, ComputeResource, LakeResource


class EvaluationConfig(dg.Config):
    """Number of explained predictions."""

    n_explained: int = Field(
        default=3, ge=0, description="Number of the best and of the worst test predictions shown with heat maps."
    )


class LeaderboardConfig(dg.Config):
    """When the champion is replaced."""

    margin: float = Field(
        default=0.02,
        ge=0,
        lt=1,
        description="Minimum improvement of a challenger's validation RMSE over the champion's, as a share of it.",
    )
    champion: str = Field(
        default="",
        description="Choose the champion by hand: `previous` restores the one that was replaced last; or the folder of "
        "a model in the leaderboard. The model it replaces does not become champion again automatically.",
    )


@dg.asset(
    partitions_def=backbone_partitions,
    deps=["image_features"],
    group_name=groups.EVALUATION,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    metadata=column_schema("evaluation_metrics"),
    code_version=code_version("evaluation_metrics", code_versions.EVALUATION),
    check_specs=evaluation_checks("evaluation_metrics"),
)
def evaluation_metrics(
    context: dg.AssetExecutionContext,
    price_model: UPath,
    splits: pd.DataFrame,
    clean_listings: pd.DataFrame,
    *,
    config: EvaluationConfig,
    compute: ComputeResource,
    lake: LakeResource,
) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
    """Errors of the model and of baselines with confidence intervals, on all held-out rows and by group."""
    from sneaker_assets.vision.evaluation.evaluate import (
        count_near_duplicates_in_train,
        evaluate,
        predict_listings,
        rmse_by_split,
    )
    from sneaker_assets.vision.evaluation.model_card import model_card
    from sneaker_assets.vision.explain.report_figures import explain_predictions
    from sneaker_assets.vision.pricing.pricer import Pricer

    here = lake.open()
    pricer = Pricer.load(price_model, compute.weights_folder, compute.torch_device())
    model = pricer.model
    predictions = predict_listings(model, with_label_kinds(splits, clean_listings))
    table = evaluate(model, predictions, price_model.relative_to(here.root).as_posix())
    drawn = predictions.rename(columns={"model": "predicted"})
    folder = here.folder("figures", "evaluation_metrics", context.partition_key)
    title = f"{context.partition_key}: held-out listings"
    overall, leaks = table[table["group"] == "all"], count_near_duplicates_in_train(splits)
    test = predictions[predictions["split"] == "test"]
    explained = explain_predictions(pricer, test, here, config.n_explained)
    yield dg.Output(
        table,
        metadata={
            "weights": str(model.weights),
            "rmse": rmse_by_split(table),
            "metrics": preview(overall, ["predictor", "split", "n", "rmse", "mae", "median_ape", "r2"]),
            "card": dg.MetadataValue.md(model_card((model.folder / "card.md").read_text(), table, leaks)),
            **show_figure(folder, "predictions", figures.predicted_against_actual(drawn, title)),
            **show_figure(folder, "residuals", figures.residuals_and_calibration(drawn[drawn["split"] == "test"])),
            **(show_figure(folder, "explained", figures.explained_predictions(explained)) if explained else {}),
        },
    )
    yield from check_evaluation("evaluation_metrics", table, leaks)


def with_label_kinds(splits: pd.DataFrame, clean_listings: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``splits`` with the kinds of their labels.

    Args:
        splits: ``tables.Splits``.
        clean_listings: ``tables.CleanListings``.
    """
    kinds = clean_listings[["site", "product_id", "label_kind"]]
    return splits.merge(kinds, on=["site", "product_id"], how="left")


@dg.asset(
    partitions_def=backbone_partitions,
    group_name=groups.FINETUNING,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    metadata=column_schema("finetuned_evaluation"),
    code_version=code_version("finetuned_evaluation", code_versions.EVALUATION),
)
def finetuned_evaluation(
    finetuned_price_model: UPath, splits: pd.DataFrame, clean_listings: pd.DataFrame, *, lake: LakeResource
) -> dg.Output[pd.DataFrame]:
    """Errors of the fine-tuned model and of baselines, as in evaluation_metrics."""
    from sneaker_assets.vision.evaluation.evaluate import evaluate, predict_listings, rmse_by_split
    from sneaker_assets.vision.pricing.price_model import PriceModel

    here = lake.open()
    model = PriceModel.load(finetuned_price_model)
    predictions = predict_listings(model, with_label_kinds(splits, clean_listings))
    table = evaluate(model, predictions, finetuned_price_model.relative_to(here.root).as_posix())
    overall = table[table["group"] == "all"]
    shown = preview(overall, ["predictor", "split", "n", "rmse", "mae", "median_ape", "r2"])
    return dg.Output(table, metadata={"weights": str(model.weights), "rmse": rmse_by_split(table), "metrics": shown})


@dg.asset(
    ins={
        "evaluation_metrics": dg.AssetIn(metadata=PARTIAL_INPUT),
        "finetuned_evaluation": dg.AssetIn(metadata=OPTIONAL_INPUT),
        "ensemble_evaluation": dg.AssetIn(metadata=OPTIONAL_INPUT),
    },
    group_name=groups.CHAMPION,
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    metadata=column_schema("model_leaderboard"),
    code_version=code_version("model_leaderboard", code_versions.LEADERBOARD),
)
def model_leaderboard(
    context: dg.AssetExecutionContext,
    evaluation_metrics: pd.DataFrame,
    finetuned_evaluation: pd.DataFrame | None,
    ensemble_evaluation: pd.DataFrame | None,
    splits: pd.DataFrame,
    *,
    config: LeaderboardConfig,
    lake: LakeResource,
) -> dg.Output[pd.DataFrame]:
    """All evaluated models scored on the same rows; a challenger replaces the champion only if better by a margin."""
    from sneaker_assets.vision.evaluation.leaderboard import rank_models

    here, before = lake.open(), lake.previous(context)
    tables = (evaluation_metrics, finetuned_evaluation, ensemble_evaluation)
    evaluated = [table for table in tables if table is not None and len(table)]
    board = rank_models(
        here,
        pd.concat(evaluated, ignore_index=True),
        splits,
        previous=before if before is not None and "standing" in before else None,
        margin=config.margin,
        now=datetime.now(UTC),
        requested=config.champion,
    )
    champion = board[board["champion"]].iloc[0]
    shown = [
        "rank", "backbone", "standing", "weights", "validation_rmse", "test_rmse", "test_rmse_low", "test_rmse_high",
        "test_r2", "parameters", "training_seconds", "images_per_second", "model",
    ]  # fmt: skip
    folder = here.folder("figures", "model_leaderboard")
    named = board[shown].assign(parameters=board["parameters"].map("{:,.0f}".format))
    page = named.to_markdown(index=False, floatfmt=",.2f")
    write_bytes(folder / "leaderboard.md", f"# Price models, best validation error first\n\n{page}\n".encode())
    return dg.Output(
        board,
        metadata={
            "champion": str(champion["backbone"]),
            "model": str(champion["model"]),
            "since": str(champion["since"]),
            "standings": preview(board, shown),
            "page": dg.MetadataValue.path(str(folder / "leaderboard.md")),
            **show_figure(folder, "leaderboard", figures.leaderboard(board)),
        },
    )
