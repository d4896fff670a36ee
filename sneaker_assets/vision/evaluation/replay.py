"""A year of releases once more: each shoe priced as on the day it was announced, from what was known on that day.

The features are those of the frozen backbone, which never saw a price; the head is a ridge, fitted anew for every week.
How predictions are scored is ``market.backtest``'s concern.
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
from sneaker_assets.vision.features.extractor import update_store
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.heads.conformal import LEAST_PRICE, conformal_interval
from sneaker_assets.vision.heads.training import train_head
from sneaker_assets.vision.pricing.price_model import price_rows
from sneaker_assets.vision.settings import FeatureSettings, HeadSettings
from sneaker_assets.vision.types import Features

HEAD = HeadSettings(kind="ridge", target="log")
LEAST_KNOWN = 30
"""Known prices below which nothing is predicted: a tenth of that must do for the interval."""

_VALIDATION = 0.25


def complete(
    store: FeatureStore, images: Mapping[str, UPath], weights_folder: Path | None, device: torch.device
) -> None:
    """Add the features of these images (sha256 to path) that a store lacks, made as all others in it.

    Raises:
        StoreError: the weights that it was made with cannot be had any more.
    """
    if all(set(images) <= set(store.index(view)["sha256"]) for view in store.views or ("plain",)):
        return
    made = store.manifest
    random = str(made["weights"]).startswith("random")
    backbone = load_backbone(made["backbone"], "none" if random else "auto", weights_folder)
    height, width = made["frame"]
    settings = FeatureSettings(made["fit"], height, width, made["keep"], mirrored="mirrored" in store.views)
    update_store(store, backbone, images, device, settings=settings)


def replay(shoes: pd.DataFrame, features: Features, every_days: int = 7) -> pd.DataFrame:
    """Walk through the days on which shoes were asked about.

    Args:
        shoes: One row a shoe: ``release``, ``site``, ``product_id``, ``sha256``, ``price`` (US dollars),
            ``label_kind``, ``asked_at`` (missing where nobody asked) and ``known_at``, from when its price was known.
        features: float32 [views, N, D] of its rows.
        every_days: How often the head is fitted anew. A shoe is priced by the last one fitted before it was asked
            about, which knows the prices known when it was fitted.

    Returns:
        ``tables.ReleaseReplay``; what is asked about before enough is known has no row.
    """
    asked_at = shoes["asked_at"]
    first = asked_at.min()
    step = pd.Timedelta(days=every_days)
    periods = ((asked_at - first) // step).astype("Int64")
    parts = []
    for period in sorted(periods.dropna().unique()):
        fitted_at = first + int(period) * step
        known = (shoes["known_at"] <= fitted_at).to_numpy()
        if known.sum() >= LEAST_KNOWN:
            asked = (periods == period).fillna(value=False).to_numpy(dtype=bool)
            parts.append(_predict(shoes, features, known, asked, fitted_at))
    return pd.concat(parts, ignore_index=True) if parts else add_coverage(_no_row(shoes), ["known"])


def _predict(
    shoes: pd.DataFrame, features: Features, known: NDArray[np.bool_], asked: NDArray[np.bool_], fitted_at: pd.Timestamp
) -> pd.DataFrame:
    """Price the shoes asked about with a head that sees nothing but the known ones."""
    prices = shoes.loc[known, "price"].to_numpy()
    sides = shoes.loc[known, "sha256"].map(_side).to_numpy(dtype=str)
    seen = np.ascontiguousarray(features[:, known])
    head = train_head(seen, prices, sides, HEAD).head
    validation = sides == "validation"
    interval = conformal_interval(prices[validation], price_rows(head, seen[:, validation]))
    predicted = np.maximum(price_rows(head, np.ascontiguousarray(features[:, asked])), LEAST_PRICE)
    low, high = interval.around(predicted)
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
    """By the picture, so that no listing's twin decides how wide the interval is."""
    return "validation" if int(hashlib.sha256(sha256.encode()).hexdigest()[:8], 16) / 2**32 < _VALIDATION else "train"


def _no_row(shoes: pd.DataFrame) -> pd.DataFrame:
    columns = ReleaseReplay.to_schema().columns
    empty = pd.DataFrame({name: pd.Series(dtype=str(column.dtype)) for name, column in columns.items()})
    return empty.astype({"predicted_at": shoes["known_at"].dtype, "observed_at": shoes["known_at"].dtype})
