"""The price model of each backbone, its honest errors, and the leaderboard that names the champion."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd
from pydantic import Field
from upath import UPath

from sneaker_assets import figures
from sneaker_assets.assets.metadata import OWNERS, column_schema, preview, show_figure
from sneaker_assets.assets.partitions import backbone_partitions
from sneaker_assets.resources import LakeResource
from sneaker_assets.vision.leaderboard import rank_models
from sneaker_assets.vision.settings import HeadConfig


class PriceModelConfig(dg.Config):
    """How the head is trained."""

    epochs: int = Field(default=HeadConfig.epochs, gt=0, description="Passes over the training rows.")
    batch_size: int = Field(default=HeadConfig.batch_size, gt=0, description="Rows a step.")
    learning_rate: float = Field(default=HeadConfig.learning_rate, gt=0, description="Adam's first learning rate.")
    plateau_patience: int = Field(
        default=HeadConfig.plateau_patience, ge=0, description="Epochs without progress before the rate is lowered."
    )
    plateau_factor: float = Field(
        default=HeadConfig.plateau_factor, gt=0, lt=1, description="What the rate is lowered to, as a share."
    )
    hidden: int = Field(default=HeadConfig.hidden, gt=0, description="Width of the hidden layer.")
    dropout: float = Field(default=HeadConfig.dropout, ge=0, lt=1, description="Share of hidden units dropped.")
    seed: int = Field(default=HeadConfig.seed, description="Another seed is another model.")


@dg.asset(partitions_def=backbone_partitions, group_name="price_model", kinds={"pytorch"}, owners=OWNERS, pool="gpu")
def price_model(
    context: dg.AssetExecutionContext,
    image_features: UPath,
    splits: pd.DataFrame,
    config: PriceModelConfig,
    lake: LakeResource,
) -> dg.Output[UPath]:
    """A head trained on the frozen backbone's features; the same rows and settings are not trained twice."""
    from sneaker_assets.vision.features import FeatureStore
    from sneaker_assets.vision.price_model import train_price_model

    settings = HeadConfig(**config.model_dump())
    folder = lake.open().folder("models", context.partition_key)
    model, trained = train_price_model(folder, FeatureStore(image_features), splits, settings)
    metrics = model.metrics()
    curve = figures.learning_curve(model.history(), int(metrics["best_epoch"]))
    return dg.Output(
        model.folder,
        metadata={
            "trained_now": trained,
            **metrics,
            "card": dg.MetadataValue.md((model.folder / "card.md").read_text()),
            **show_figure(lake.open().folder("figures", "price_model", context.partition_key), "learning_curve", curve),
        },
    )


@dg.asset(
    partitions_def=backbone_partitions,
    group_name="price_model",
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    metadata=column_schema("evaluation_metrics"),
    check_specs=[
        dg.AssetCheckSpec(
            "beats_the_mean",
            asset="evaluation_metrics",
            description="On test rows the model's squared error is below that of the mean of the training prices.",
        )
    ],
)
def evaluation_metrics(
    context: dg.AssetExecutionContext,
    price_model: UPath,
    image_features: UPath,
    splits: pd.DataFrame,
    lake: LakeResource,
) -> Iterator[dg.Output[pd.DataFrame] | dg.AssetCheckResult]:
    """Errors on validation and test rows in dollars, beside those of the mean of the training prices."""
    from sneaker_assets.vision.evaluation import evaluate, predict_listings, rmse_by_split
    from sneaker_assets.vision.features import FeatureStore
    from sneaker_assets.vision.price_model import PriceModel

    here = lake.open()
    model = PriceModel.load(price_model)
    predictions = predict_listings(model, FeatureStore(image_features), splits)
    table = evaluate(model, predictions, price_model.relative_to(here.root).as_posix())
    title = f"{context.partition_key}: held-out listings"
    figure = figures.predicted_against_actual(predictions, title)
    yield dg.Output(
        table,
        metadata={
            "weights": model.weights,
            "rmse": rmse_by_split(table),
            "metrics": preview(table, ["predictor", "split", "n", "rmse", "mae", "mape", "r2"]),
            **show_figure(here.folder("figures", "evaluation_metrics", context.partition_key), "predictions", figure),
        },
    )
    test = table[table["split"] == "test"].set_index("predictor")["mse"]
    yield dg.AssetCheckResult(
        check_name="beats_the_mean",
        passed=bool(test["model"] < test["mean"]),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"model_mse": float(test["model"]), "mean_mse": float(test["mean"])},
    )


@dg.asset(
    group_name="price_model", kinds={"pandas", "parquet"}, owners=OWNERS, metadata=column_schema("model_leaderboard")
)
def model_leaderboard(evaluation_metrics: pd.DataFrame, lake: LakeResource) -> dg.Output[pd.DataFrame]:
    """Every evaluated backbone, best validation error first; the first is the champion that prices releases."""
    board = rank_models(evaluation_metrics)
    return dg.Output(
        board,
        metadata={
            "champion": str(board["backbone"].iloc[0]),
            "leaderboard": preview(board, ["rank", "backbone", "weights", "validation_rmse", "test_rmse", "test_r2"]),
            **show_figure(
                lake.open().folder("figures", "model_leaderboard"), "leaderboard", figures.leaderboard(board)
            ),
        },
    )
