"""How good each backbone's price model is, two studies beside it, and the leaderboard that names the champion."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import figures
from sneaker_assets.assets.metadata import OWNERS, column_schema, preview, show_figure
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.lake import read_table, write_bytes
from sneaker_assets.resources import ComputeResource, LakeResource


class EvaluationConfig(dg.Config):
    """When a model is good enough."""

    champion_margin: float = Field(
        default=0.05, ge=0, description="Share by which its validation RMSE may exceed the champion's."
    )
    explained: int = Field(
        default=3, ge=0, description="How many of the best and of the worst test predictions are shown with heat maps."
    )


class LeaderboardConfig(dg.Config):
    """When the champion is replaced."""

    margin: float = Field(
        default=0.02, ge=0, lt=1, description="Share by which a challenger's validation RMSE must lie below its own."
    )
    champion: str = Field(
        default="",
        description="Choose by hand: `previous` restores the champion that was replaced last; or a model's folder as "
        "the leaderboard names it. The one replaced so does not come back by itself.",
    )


def _check(name: str, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset="evaluation_metrics", description=description)


@dg.asset(
    partitions_def=backbone_partitions,
    group_name="price_model",
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    metadata=column_schema("evaluation_metrics"),
    check_specs=[
        _check("beats_the_mean", "On test rows its squared error is below that of the mean of the training prices."),
        _check("no_leak", "No test row has a twin in train."),
        _check("coverage", "90 % prediction intervals hold between 87 and 93 % of the test prices."),
        _check("near_the_champion", "Its validation error is not worse than the champion's by more than a margin."),
    ],
)
def evaluation_metrics(
    context: dg.AssetExecutionContext,
    price_model: UPath,
    image_features: UPath,
    splits: pd.DataFrame,
    clean_listings: pd.DataFrame,
    *,
    config: EvaluationConfig,
    compute: ComputeResource,
    lake: LakeResource,
) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
    """Errors in dollars beside the baselines, with intervals, on all held-out rows and by group."""
    from sneaker_assets.vision.evaluation.evaluate import evaluate, predict_listings, rmse_by_split, twins_in_train
    from sneaker_assets.vision.evaluation.model_card import model_card
    from sneaker_assets.vision.explain.report_figures import explain_predictions
    from sneaker_assets.vision.features.store import FeatureStore
    from sneaker_assets.vision.pricing.pricer import Pricer
    from sneaker_assets.vision.pricing.similarity_index import build_similarity_index

    here = lake.open()
    pricer = Pricer.load(price_model, compute.weights_folder, compute.torch_device())
    model, store = pricer.model, FeatureStore.open(image_features)
    kinds = clean_listings[["site", "product_id", "label_kind"]]
    rows = splits if "label_kind" in splits else splits.merge(kinds, on=["site", "product_id"], how="left")
    predictions = predict_listings(model, store, rows)
    build_similarity_index(model, store, clean_listings)
    table = evaluate(model, predictions, price_model.relative_to(here.root).as_posix())
    drawn = predictions.rename(columns={"model": "predicted"})
    folder = here.folder("figures", "evaluation_metrics", context.partition_key)
    title = f"{context.partition_key}: held-out listings"
    overall, leaks = table[table["group"] == "all"], twins_in_train(splits)
    test = predictions[predictions["split"] == "test"]
    explained = explain_predictions(pricer, test, here, config.explained)
    yield dg.Output(
        table,
        metadata={
            "weights": model.weights,
            "rmse": rmse_by_split(table),
            "metrics": preview(overall, ["predictor", "split", "n", "rmse", "mae", "median_ape", "r2"]),
            "card": dg.MetadataValue.md(model_card((model.folder / "card.md").read_text(), table, leaks)),
            **show_figure(folder, "predictions", figures.predicted_against_actual(drawn, title)),
            **show_figure(folder, "residuals", figures.residuals_and_calibration(drawn[drawn["split"] == "test"])),
            **(show_figure(folder, "explained", figures.explained_predictions(explained)) if explained else {}),
        },
    )
    yield from _judge(overall, leaks, _champion_rmse(lake, context.partition_key), config.champion_margin)


def _champion_rmse(lake: LakeResource, backbone: str) -> float | None:
    """Validation RMSE of the champion of the last leaderboard, where that is another backbone's."""
    path = lake.open().table("model_leaderboard")
    if not path.exists():
        return None
    board = read_table(path)
    champion = board[board["champion"]].iloc[0]
    return None if champion["backbone"] == backbone else float(champion["validation_rmse"])


def _judge(overall: pd.DataFrame, leaks: int, champion: float | None, margin: float) -> Iterator[dg.AssetCheckResult]:
    models = overall[overall["predictor"] == "model"].set_index("split")
    mses = overall[overall["split"] == "test"].set_index("predictor")["mse"].astype(float)
    rmse = float(models["rmse"].astype(float)["validation"])
    coverage = float(models["coverage"].astype(float)["test"])
    verdicts: dict[str, tuple[bool, dict[str, float | int]]] = {
        "beats_the_mean": (
            bool(mses["model"] < mses["mean"]),
            {"model_mse": float(mses["model"]), "mean_mse": float(mses["mean"])},
        ),
        "no_leak": (leaks == 0, {"test_rows_with_a_twin_in_train": leaks}),
        "coverage": (0.87 <= coverage <= 0.93, {"coverage": coverage}),
        "near_the_champion": (
            champion is None or rmse <= champion * (1 + margin),
            {"validation_rmse": rmse, "champion_validation_rmse": rmse if champion is None else champion},
        ),
    }
    for name, (passed, metadata) in verdicts.items():
        severity = dg.AssetCheckSeverity.ERROR if name == "no_leak" else dg.AssetCheckSeverity.WARN
        yield dg.AssetCheckResult(
            asset_key="evaluation_metrics", check_name=name, passed=passed, severity=severity, metadata=metadata
        )


@dg.asset(
    partitions_def=backbone_partitions,
    group_name="price_model",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    metadata=column_schema("leak_report"),
)
def leak_report(
    context: dg.AssetExecutionContext, image_features: UPath, splits: pd.DataFrame
) -> dg.Output[pd.DataFrame]:
    """What the article's own kind of split would have scored, beside ours: how much of it is memory."""
    from sneaker_assets.vision.evaluation import studies
    from sneaker_assets.vision.features.store import FeatureStore

    table = studies.leak_report(context.partition_key, FeatureStore.open(image_features), splits)
    return dg.Output(table, metadata={"report": preview(table)})


@dg.asset(
    partitions_def=backbone_partitions,
    group_name="price_model",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    metadata=column_schema("outlier_ablation"),
)
def outlier_ablation(
    context: dg.AssetExecutionContext,
    image_features: UPath,
    listings: pd.DataFrame,
    clean_listings: pd.DataFrame,
    lake: LakeResource,
) -> dg.Output[pd.DataFrame]:
    """Models trained with and without the outliers, each scored on test rows with and without them."""
    from sneaker_assets.vision.evaluation import studies
    from sneaker_assets.vision.features.store import FeatureStore

    backbone, store = context.partition_key, FeatureStore.open(image_features)
    ablation = studies.outlier_ablation(backbone, store, listings, clean_listings)
    words = {"all": "Trained with the outliers", "clean": "Trained without them"}
    curves = [(words[name], trained.history, trained.best + 1) for name, trained in ablation.trained.items()]
    folder = lake.open().folder("figures", "outlier_ablation", backbone)
    drawn = show_figure(folder, "learning_curves", figures.learning_curves(curves))
    return dg.Output(ablation.scores, metadata={"scores": preview(ablation.scores), **drawn})


@dg.asset(
    partitions_def=backbone_partitions,
    group_name="price_model",
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    metadata=column_schema("finetuned_evaluation"),
)
def finetuned_evaluation(
    finetuned_price_model: UPath, splits: pd.DataFrame, clean_listings: pd.DataFrame, *, lake: LakeResource
) -> dg.Output[pd.DataFrame]:
    """The same errors of the backbone that was trained further."""
    from sneaker_assets.vision.evaluation.evaluate import evaluate, predict_listings, rmse_by_split
    from sneaker_assets.vision.features.store import FeatureStore
    from sneaker_assets.vision.pricing.price_model import PriceModel
    from sneaker_assets.vision.pricing.similarity_index import build_similarity_index

    here = lake.open()
    model = PriceModel.load(finetuned_price_model)
    store = FeatureStore.open(here.folder("features", model.backbone, model.config["features"]["store"]))
    kinds = clean_listings[["site", "product_id", "label_kind"]]
    rows = splits if "label_kind" in splits else splits.merge(kinds, on=["site", "product_id"], how="left")
    build_similarity_index(model, store, clean_listings)
    predictions = predict_listings(model, store, rows)
    table = evaluate(model, predictions, finetuned_price_model.relative_to(here.root).as_posix())
    overall = table[table["group"] == "all"]
    shown = preview(overall, ["predictor", "split", "n", "rmse", "mae", "median_ape", "r2"])
    return dg.Output(table, metadata={"weights": model.weights, "rmse": rmse_by_split(table), "metrics": shown})


@dg.asset(
    deps=["finetuned_evaluation"],
    group_name="price_model",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    metadata=column_schema("model_leaderboard"),
)
def model_leaderboard(
    context: dg.AssetExecutionContext,
    evaluation_metrics: pd.DataFrame,
    splits: pd.DataFrame,
    config: LeaderboardConfig,
    lake: LakeResource,
) -> dg.Output[pd.DataFrame]:
    """Every evaluated model on the same rows; the champion, which prices releases, gives way only to a better one."""
    from sneaker_assets.vision.evaluation.leaderboard import rank_models

    here, before = lake.open(), lake.previous(context)
    paths = [here.table("finetuned_evaluation", backbone) for backbone in backbone_partitions.get_partition_keys()]
    finetuned = [read_table(path) for path in paths if path.exists()]
    board = rank_models(
        here,
        pd.concat([evaluation_metrics, *finetuned], ignore_index=True),
        splits,
        before=before if before is not None and "standing" in before else None,
        margin=config.margin,
        now=datetime.now(UTC),
        wanted=config.champion,
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
