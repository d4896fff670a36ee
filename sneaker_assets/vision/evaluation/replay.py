"""Replay of past releases: each shoe is priced with what was known on the day it was announced.

The features come from the frozen backbone, which was not trained on prices. The head is a ridge that is refitted at
regular intervals to the prices known by then.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from upath import UPath

from sneaker_assets.market.backtest import add_coverage
from sneaker_assets.tables import ReleaseReplay
from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.features.extractor import update_store
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.heads.conformal import MIN_PRICE, conformal_interval
from sneaker_assets.vision.heads.training import train_head
from sneaker_assets.vision.pricing.price_model import price_rows
from sneaker_assets.vision.settings import FeatureSettings, HeadSettings
from sneaker_assets.vision.types import Features

HEAD = HeadSettings(kind="ridge", target="log")
MIN_KNOWN_PRICES = 30
"""Minimum number of known prices for a prediction; a quarter of them determines the interval."""

_VALIDATION_SHARE = 0.25


def add_missing_features(
    store: FeatureStore, images: Mapping[str, UPath], weights_folder: Path | None, device: torch.device
) -> None:
    """Compute the features of images that a store does not have yet, with its own backbone and settings.

    Args:
        store: The feature store, which is extended.
        images: Path of each image, by sha256.
        weights_folder: Folder of weight files, or None.
        device: Where to compute.

    Raises:
        StoreError: The store's weights are no longer available, or it cannot be written.
        WeightsError: No weights are available.
        UnreadableImageError: An image cannot be decoded.
    """
    if all(set(images) <= set(store.index(view)["sha256"]) for view in store.views or ("plain",)):
        return
    made = store.manifest
    source = WeightsSource.parse(made["weights"])
    backbone = load_backbone(made["backbone"], source.choice, weights_folder)
    height, width = made["frame"]
    settings = FeatureSettings(
        fit=made["fit"], height=height, width=width, keep=made["keep"], mirrored="mirrored" in store.views
    )
    update_store(store, backbone, images, device, settings=settings)


def replay(shoes: pd.DataFrame, features: Features, every_days: int = 7) -> pd.DataFrame:
    """Out-of-time predictions for the shoes that were announced.

    Each shoe is priced by the last head fitted before its announcement, and each head is fitted to the prices known at
    that time.

    Args:
        shoes: One row for each shoe: ``release``, ``site``, ``product_id``, ``sha256``, ``price`` (US dollars),
            ``label_kind``, ``asked_at`` (time of the announcement, missing for shoes that are not predicted) and
            ``known_at`` (time from which the price is known).
        features: float32 [views, N, D] of these rows.
        every_days: Days between two fits of the head.

    Returns:
        ``tables.ReleaseReplay``; shoes announced before ``MIN_KNOWN_PRICES`` prices are known have no row.
    """
    asked_at = shoes["asked_at"]
    start = asked_at.min()
    interval = pd.Timedelta(days=every_days)
    periods = ((asked_at - start) // interval).astype("Int64")
    parts = []
    for period in sorted(periods.dropna().unique()):
        fitted_at = start + int(period) * interval
        known = (shoes["known_at"] <= fitted_at).to_numpy()
        if known.sum() >= MIN_KNOWN_PRICES:
            asked = (periods == period).fillna(value=False).to_numpy(dtype=bool)
            parts.append(_predict(shoes, features, known, asked, fitted_at))
    return pd.concat(parts, ignore_index=True) if parts else add_coverage(_empty_pairs(shoes), ["known"])


def _predict(
    shoes: pd.DataFrame, features: Features, known: NDArray[np.bool_], asked: NDArray[np.bool_], fitted_at: pd.Timestamp
) -> pd.DataFrame:
    """Predictions for the rows in ``asked`` by a head fitted to the rows in ``known``, bool [N] each."""
    prices = shoes.loc[known, "price"].to_numpy()
    sides = shoes.loc[known, "sha256"].map(_side).to_numpy(dtype=str)
    known_features = np.ascontiguousarray(features[:, known])
    head = train_head(known_features, prices, sides, HEAD).head
    validation = sides == "validation"
    interval = conformal_interval(prices[validation], price_rows(head, known_features[:, validation]))
    predicted = np.maximum(price_rows(head, np.ascontiguousarray(features[:, asked])), MIN_PRICE)
    low, high = interval.bounds(predicted)
    paired = shoes[asked].assign(
        model=f"ridge as of {fitted_at:%Y-%m-%d}",
        predicted_at=shoes["asked_at"],
        observed_at=shoes["known_at"],
        predicted_price=predicted,
        price_low=low,
        price_high=high,
        known=int(known.sum()),
    )
    return add_coverage(paired, ["known"])


def _side(sha256: str) -> str:
    """Split by image, so that identical images are never in both splits."""
    return (
        "validation"
        if int(hashlib.sha256(sha256.encode()).hexdigest()[:8], 16) / 2**32 < _VALIDATION_SHARE
        else "train"
    )


def _empty_pairs(shoes: pd.DataFrame) -> pd.DataFrame:
    columns = ReleaseReplay.to_schema().columns
    empty = pd.DataFrame({name: pd.Series(dtype=str(column.dtype)) for name, column in columns.items()})
    return empty.astype({"predicted_at": shoes["known_at"].dtype, "observed_at": shoes["known_at"].dtype})
