"""Training of ensembles: the choice of the members and of their weights.

The weights minimize the error on the validation rows, which are also among the rows that calibrate the interval. With a
handful of weights and hundreds of rows the bias is small, but the validation error of an ensemble is optimistic in
comparison with that of its members.
"""

import hashlib
import json
import logging
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls
from upath import UPath

from sneaker_assets import code_versions, lake
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.features.store import StoreError
from sneaker_assets.vision.heads.conformal import Interval, conformal_interval
from sneaker_assets.vision.heads.training import TrainedHead
from sneaker_assets.vision.pricing.card import ensemble_card
from sneaker_assets.vision.pricing.ensemble_model import EnsembleModel, Model, digest_model
from sneaker_assets.vision.pricing.price_model import ModelError, PriceModel
from sneaker_assets.vision.pricing.training import calibration_prices, count_rows, digest_rows
from sneaker_assets.vision.settings import EnsembleSettings

logger = logging.getLogger(__name__)


def ensemble_weights(predictions: NDArray[np.float64], prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the weighted mean of predictions with the lowest mean squared error.

    For weights w that sum to one, the errors of the mean are the mean of the errors R w. Nonnegative least squares on
    R with an additional row of ones and target one finds a multiple of the optimum: scaled to the best length, a
    direction with error e costs e / (1 + e), which grows with e.

    Source: Breiman, "Stacked Regressions", Machine Learning 24, 1996, for nonnegative weights.

    Args:
        predictions: float64 [members, N], US dollars, of rows that the members were not fitted to.
        prices: float64 [N], US dollars.

    Returns:
        float64 [members], nonnegative, with sum one.

    Raises:
        TrainingError: There are no rows, or a prediction or price is not finite.
    """
    residuals = (predictions - prices).T
    n_missing = int((~np.isfinite(residuals)).sum())
    if not residuals.size or n_missing:
        raise TrainingError(
            f"an ensemble cannot be weighted on {len(prices)} rows with {n_missing} predictions that are not finite: "
            "it needs finite predictions of at least one row"
        )
    scale = max(float(np.linalg.norm(residuals)), np.finfo(float).tiny)
    equations = np.vstack([residuals / scale, np.ones(residuals.shape[1])])
    target = np.append(np.zeros(len(residuals)), 1.0)
    multiple = nnls(equations, target)[0]
    weights: NDArray[np.float64] = multiple / multiple.sum()
    return weights


def choose_weights(
    predictions: NDArray[np.float64], prices: NDArray[np.float64], settings: EnsembleSettings | None = None
) -> NDArray[np.float64]:
    """Weights of few members: those with too small a share are left out one by one.

    Args:
        predictions: float64 [members, N], US dollars, of rows that the members were not fitted to.
        prices: float64 [N], US dollars.
        settings: The smallest share, and how much better than the best member an ensemble has to be.

    Returns:
        float64 [members], nonnegative, with sum one; 1 for the best member where no ensemble is better by enough.

    Raises:
        TrainingError: There are no rows, or a prediction or price is not finite.
    """
    settings = settings or EnsembleSettings()
    weights = ensemble_weights(predictions, prices)
    while (smallest := weights[weights > 0].min()) < settings.min_share:
        kept = np.flatnonzero(weights > smallest)
        weights = np.zeros_like(weights)
        weights[kept] = ensemble_weights(predictions[kept], prices)
    own = np.square(predictions - prices).mean(axis=1)
    best = int(own.argmin())
    if math.sqrt(np.square(weights @ predictions - prices).mean()) < math.sqrt(own[best]) * (1 - settings.min_gain):
        return weights
    best_alone: NDArray[np.float64] = np.eye(len(own))[best]
    return best_alone


def usable_members(folders: Mapping[str, UPath], splits: pd.DataFrame) -> tuple[list[PriceModel], dict[str, str]]:
    """The models that can be members of an ensemble for these rows.

    All members must have been trained on the very rows of ``splits``: a model of other rows may have been trained on
    rows that are held out today.

    Args:
        folders: Folder of each candidate, by the asset and partition that wrote it.
        splits: ``tables.Splits``.

    Returns:
        The models, and for each of the others why it is left out, by asset and partition.
    """
    members, left_out = dict[str, PriceModel](), dict[str, str]()
    for source, folder in folders.items():
        try:
            model = PriceModel.load(folder)
            if model.rows_digest is None:
                left_out[source] = f"trained by an earlier version: materialize {source} again"
            elif model.rows_digest != digest_rows(splits):
                left_out[source] = f"trained on other rows: materialize {source} again"
            elif not model.open_store().known(splits["sha256"], model.views).all():
                left_out[source] = "features of some images are missing: materialize image_features again"
            else:
                members.setdefault(model.name, model)
        except (ModelError, StoreError) as error:
            left_out[source] = str(error)
    return list(members.values()), left_out


def train_ensemble(
    models_folder: UPath,
    candidates: Sequence[PriceModel],
    splits: pd.DataFrame,
    settings: EnsembleSettings | None = None,
) -> tuple[Model, bool]:
    """Find the best ensemble of these models on the validation rows, or load it where it already exists.

    Its interval is calibrated like that of a price model: on validation rows and, where all members have a closed form,
    on training rows that each member predicts without their own groups.

    Args:
        models_folder: Folder of the ensembles, ``models/ensemble`` in the lake of the members.
        candidates: Models that were trained on the rows of ``splits``, at least one.
        splits: ``tables.Splits``.
        settings: Which members are left out, and when an ensemble is worth its cost.

    Returns:
        The ensemble, or the best of the models where no ensemble is better by enough; and whether an ensemble was
        trained by this call.

    Raises:
        TrainingError: There is no candidate or no validation row, or a candidate was trained on other rows.
        StoreError: An image has no features.
        LakeError: The folder cannot be written.
    """
    settings, digest = settings or EnsembleSettings(), digest_rows(splits)
    for model in candidates:
        if model.rows_digest != digest:
            raise TrainingError(f"the model {model.folder} was trained on other rows: train it again on these")
    if not candidates:
        raise TrainingError("an ensemble needs models that were trained on these rows: materialize price_model again")
    folder = models_folder / name_ensemble(candidates, splits, settings)
    if folder.exists():
        logger.info("ensemble %s already exists", folder.name)
        return EnsembleModel.load(folder), False
    validation = splits[splits["split"] == "validation"]
    prices, hashes = validation["price"].to_numpy(dtype=float), validation["sha256"].tolist()
    predictions = np.stack([model.price(model.open_store().gather_views(hashes, model.views)) for model in candidates])
    weights = choose_weights(predictions, prices, settings)
    order = [int(number) for number in np.argsort(-weights, kind="stable") if weights[number] > 0]
    chosen = [candidates[number] for number in order]
    if len(chosen) == 1:
        return chosen[0], False
    rmses = np.sqrt(np.square(predictions - prices).mean(axis=1))
    members = pd.DataFrame(
        {
            "model": [model.name for model in chosen],
            "backbone": [model.backbone for model in chosen],
            "weights": [str(model.weights) for model in chosen],
            "share": weights[order],
            "validation_rmse": rmses[order],
        }
    )
    scores = {
        "validation_rmse": float(np.sqrt(np.square(weights @ predictions - prices).mean())),
        "best_member_rmse": float(rmses.min()),
    }
    _save(folder, chosen, members, splits, scores)
    return EnsembleModel.load(folder), True


def name_ensemble(candidates: Sequence[PriceModel], splits: pd.DataFrame, settings: EnsembleSettings) -> str:
    """Name of the ensemble of these models, rows and settings: twelve hexadecimal digits.

    Args:
        candidates: The models, in any order.
        splits: ``tables.Splits``.
        settings: The settings.
    """
    version = code_versions.changed(code_version=code_versions.ENSEMBLE)
    models = sorted((model.name, digest_model(model)) for model in candidates)
    inputs = [models, digest_rows(splits), settings.model_dump(), version]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:12]


def _save(
    folder: UPath,
    chosen: Sequence[PriceModel],
    members: pd.DataFrame,
    splits: pd.DataFrame,
    scores: Mapping[str, float],
) -> None:
    """Write the folder of an ensemble."""
    interval, calibrated_on = _calibrate(chosen, members["share"].to_numpy(), splits)
    config = {
        "members": [
            {"model": model.name, "share": float(share), "digest": digest_model(model)}
            for model, share in zip(chosen, members["share"], strict=True)
        ],
        "rows": count_rows(splits),
        "rows_digest": digest_rows(splits),
        "price_range": chosen[0].config["price_range"],
        "interval": {**interval.as_dict(), "calibrated_on": calibrated_on},
    }
    metrics = {**scores, **_costs(chosen)}
    with lake.new_folder(folder) as scratch:
        members.to_parquet(scratch / "history.parquet", index=False)
        (scratch / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        (scratch / "card.md").write_text(ensemble_card(config, metrics, members))
        (scratch / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def _calibrate(
    members: Sequence[PriceModel], shares: NDArray[np.float64], splits: pd.DataFrame
) -> tuple[Interval, str]:
    """Prediction interval of the weighted mean, and the rows that it was calibrated on, in words."""
    closed_form = all(member.has_closed_form for member in members)
    actual, calibrated_on, predicted = np.empty(0), "", list[NDArray[np.float64]]()
    for member in members:
        best = int(member.metrics()["best"])
        trained = TrainedHead(member.head, member.history(), best, seconds=0.0, closed_form=closed_form)
        features = member.open_store().gather_views(splits["sha256"].tolist(), member.views)
        actual, own, calibrated_on = calibration_prices(trained, features, splits)
        predicted.append(own)
    return conformal_interval(actual, shares @ np.stack(predicted)), calibrated_on


def _costs(members: Sequence[PriceModel]) -> dict[str, float]:
    """Training time and throughput of all members; those of equal features share the time of computing them."""
    metrics = [member.metrics() for member in members]
    by_store = {
        member.config["features"]["store"]: own.get("images_per_second", math.nan)
        for member, own in zip(members, metrics, strict=True)
    }
    costs = {
        "training_seconds": sum(own.get("training_seconds", math.nan) for own in metrics),
        "images_per_second": 1 / sum(1 / speed for speed in by_store.values()),
    }
    return {name: value for name, value in costs.items() if math.isfinite(value)}
