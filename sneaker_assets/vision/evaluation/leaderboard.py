"""Which of the evaluated models prices the releases: the champion, and who was it before.

Contenders are the evaluated models and the champion that stands. All are scored anew on the same rows, those of the
present splits whose pictures all of them have features of: a model that was evaluated on other rows cannot be compared.
The champion stays until another one is better by a margin, since small differences are chance; whoever is replaced is
kept, and can be restored. How models are evaluated otherwise is ``evaluation``'s concern.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from sneaker_assets.errors import SneakerError
from sneaker_assets.lake import Lake
from sneaker_assets.tables import Leaderboard
from sneaker_assets.vision.backbones.backbone import count_parameters
from sneaker_assets.vision.evaluation.metrics import bootstrap_intervals, regression_metrics
from sneaker_assets.vision.features.store import FeatureStore, StoreError
from sneaker_assets.vision.pricing.price_model import PriceModel

logger = logging.getLogger(__name__)

PREVIOUS = "previous"
_IDENTITY = ["backbone", "weights", "model"]


class ChampionError(SneakerError, ValueError):
    """No champion can be chosen as asked; the message says why and what to do."""


@dataclass(frozen=True)
class Contender:
    """A model with the features that it takes."""

    identity: dict[str, str]
    model: PriceModel
    store: FeatureStore

    @classmethod
    def open(cls, identity: dict[str, str], lake: Lake) -> "Contender":
        """Read model and store.

        Raises:
            StoreError: its features are no longer there.
            FileNotFoundError: it is no longer there itself.
        """
        model = PriceModel.load(lake.root / identity["model"])
        store = FeatureStore.open(lake.folder("features", model.backbone, model.config["features"]["store"]))
        return cls(identity, model, store)

    def knows(self, hashes: pd.Series) -> "pd.Series[bool]":
        """Which of these images it has features of."""
        known = hashes.notna()
        for view in self.model.views:
            known &= hashes.isin(self.store.index(view)["sha256"])
        return known

    def costs(self) -> dict[str, float]:
        """How large it is, what its training took and how fast it looks, as ``tables.Leaderboard`` calls them."""
        metrics = self.model.metrics()
        own = sum(tensor.numel() for tensor in self.model.head.state_dict().values())
        return {
            "parameters": float(own + count_parameters(self.model.backbone)),
            "training_seconds": metrics.get("training_seconds", math.nan),
            "images_per_second": metrics.get("images_per_second", math.nan),
        }

    def scores(self, rows: pd.DataFrame) -> dict[str, float]:
        """Its errors on these rows of ``tables.Splits``, as ``tables.Leaderboard`` calls them."""
        features = np.stack([self.store.gather(rows["sha256"].tolist(), view) for view in self.model.views])
        predicted, price = self.model.price(features), rows["price"].to_numpy()
        validation, test = ((rows["split"] == side).to_numpy() for side in ("validation", "test"))
        scores = {"validation_rmse": regression_metrics(price[validation], predicted[validation])["rmse"]}
        if test.any():
            on_test = regression_metrics(price[test], predicted[test])
            on_test |= bootstrap_intervals(price[test], predicted[test])
            scores |= {f"test_{name}": on_test[name] for name in ("rmse", "rmse_low", "rmse_high", "mae", "mape", "r2")}
        return scores


def rank_models(
    lake: Lake,
    metrics: pd.DataFrame,
    splits: pd.DataFrame,
    *,
    before: pd.DataFrame | None,
    margin: float,
    now: datetime,
    wanted: str = "",
) -> pd.DataFrame:
    """Score the contenders and choose the champion among them.

    Args:
        lake: Where models and features lie.
        metrics: ``tables.EvaluationMetrics`` of all backbones evaluated.
        splits: ``tables.Splits``.
        before: The leaderboard of the last time, or None.
        margin: Share by which a challenger's validation RMSE must lie below the champion's to replace it.
        now: When this is.
        wanted: A model's folder as ``tables.Leaderboard`` names it, to make it champion whatever its error, or
            ``previous`` for the champion that was replaced last. The one replaced so is set aside: it does not come
            back by itself.

    Returns:
        ``tables.Leaderboard``: the contenders by validation error, and below them those that were champion once.

    Raises:
        ChampionError: the model wanted is not known, or no validation row can be scored.
    """
    wanted = _find(wanted, metrics, before) if wanted else ""
    scored = score(_contenders(lake, metrics, before, wanted), splits)
    if wanted and wanted not in set(scored["model"]):
        raise ChampionError(f"the model {wanted} or its features are no longer in the lake: choose another champion")
    champion = wanted or _choose(scored, before, margin)
    return _standings(scored, before, champion, by_hand=bool(wanted), now=now)


def score(contenders: Sequence[Contender], splits: pd.DataFrame) -> pd.DataFrame:
    """Every contender's errors on the held-out rows that all of them can price, the least validation error first.

    Raises:
        ChampionError: there is no such validation row, or no contender.
    """
    shared = splits["split"] != "train"
    for contender in contenders:
        shared &= contender.knows(splits["sha256"])
    rows = splits[shared]
    n = int((rows["split"] == "validation").sum())
    if not contenders or not n:
        raise ChampionError(
            f"no validation row has features of all {len(contenders)} models: materialize image_features and "
            "evaluation_metrics again"
        )
    mean = float(splits.loc[splits["split"] == "train", "price"].mean())
    test = rows.loc[rows["split"] == "test", "price"]
    common = {"rows": n, "mean_test_rmse": float(((test - mean) ** 2).mean() ** 0.5)}
    scored = pd.DataFrame([{**one.identity, **one.scores(rows), **one.costs(), **common} for one in contenders])
    return scored.sort_values("validation_rmse", kind="stable", ignore_index=True)


def _contenders(lake: Lake, metrics: pd.DataFrame, before: pd.DataFrame | None, wanted: str) -> list[Contender]:
    identities = metrics.drop_duplicates("model")[_IDENTITY]
    if before is not None:
        kept = before[before["champion"] | (before["model"] == wanted)]
        identities = pd.concat([identities, kept[_IDENTITY]]).drop_duplicates("model")
    opened = []
    for identity in identities.astype(str).to_dict("records"):
        try:
            opened.append(Contender.open({str(key): value for key, value in identity.items()}, lake))
        except (StoreError, FileNotFoundError) as error:
            logger.warning("%s cannot be compared and is left out: %s", identity["model"], error)
    return opened


def _find(wanted: str, metrics: pd.DataFrame, before: pd.DataFrame | None) -> str:
    """The model that is meant."""
    replaced = pd.DataFrame() if before is None else before[before["standing"].isin(("former", "set aside"))]
    if wanted == PREVIOUS:
        if replaced.empty:
            raise ChampionError("no champion was replaced yet: there is none to restore")
        return str(replaced.sort_values("since", kind="stable")["model"].iloc[-1])
    known = sorted({*metrics["model"], *([] if before is None else before["model"])})
    if wanted not in known:
        raise ChampionError(f"no model {wanted!r} was evaluated: choose {PREVIOUS} or one of {', '.join(known)}")
    return wanted


def _choose(scored: pd.DataFrame, before: pd.DataFrame | None, margin: float) -> str:
    """The model that the numbers make champion."""
    aside: set[str] = set() if before is None else set(before.loc[before["standing"] == "set aside", "model"])
    standing: set[str] = set() if before is None else set(before.loc[before["champion"], "model"])
    eligible = scored[~scored["model"].isin(aside)]
    best = (scored if eligible.empty else eligible).iloc[0]
    champion = scored[scored["model"].isin(standing)]
    if champion.empty or best["validation_rmse"] < champion["validation_rmse"].iloc[0] * (1 - margin):
        return str(best["model"])
    return str(champion["model"].iloc[0])


def _standings(
    scored: pd.DataFrame, before: pd.DataFrame | None, champion: str, *, by_hand: bool, now: datetime
) -> pd.DataFrame:
    columns = list(Leaderboard.to_schema().columns)
    known = pd.DataFrame(columns=columns) if before is None else before.reindex(columns=columns)
    was = dict(zip(known["model"], known["standing"], strict=True))
    since = dict(zip(known["model"], known["since"], strict=True))

    def standing(model: str) -> str:
        if model == champion:
            return "champion"
        if was.get(model) == "champion":
            return "set aside" if by_hand else "former"
        return str(was.get(model, "challenger"))

    gone = known[~known["model"].isin(scored["model"]) & (known["standing"] != "challenger")]
    board = pd.concat([scored, gone[scored.columns]], ignore_index=True) if len(gone) else scored
    standings = [standing(model) for model in board["model"]]
    board = board.assign(
        rank=range(1, len(board) + 1),
        champion=board["model"] == champion,
        standing=standings,
        since=[since[m] if was.get(m) == now_is else now for m, now_is in zip(board["model"], standings, strict=True)],
    )
    return board.reindex(columns=columns)
