"""Model leaderboard: comparison of the evaluated models, and selection of the champion that prices releases.

Candidates are the evaluated models and the current champion. All are scored on the same rows: the held-out rows of the
current splits for which every candidate has features. A candidate that has them for few of these rows, such as a
champion whose backbone is no longer in use, is left out, since all would be compared on few rows. A challenger replaces
the champion only if its validation error is lower by a margin, because small differences are noise. Replaced champions
remain listed and can be restored.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from sneaker_assets.errors import SneakerError
from sneaker_assets.lake import Lake
from sneaker_assets.tables import Leaderboard
from sneaker_assets.vision.backbones.networks import count_parameters
from sneaker_assets.vision.evaluation.metrics import bootstrap_intervals, regression_metrics
from sneaker_assets.vision.features.store import FeatureStore, StoreError
from sneaker_assets.vision.pricing.ensemble_model import Model, load_model, price_known

logger = logging.getLogger(__name__)

PREVIOUS = "previous"

MIN_KNOWN_ROWS = 0.5
"""Minimum share of the held-out rows with features of a candidate, relative to the candidate with most of them."""

_IDENTITY = ["backbone", "weights", "model"]


class ChampionError(SneakerError, ValueError):
    """The champion cannot be chosen as requested; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class Candidate:
    """A model that takes part in the comparison.

    Attributes:
        identity: ``backbone``, ``weights`` and ``model`` (folder relative to the lake), columns of
            ``tables.Leaderboard``.
        model: The price model or ensemble.
        stores: The features that each of its members takes.
    """

    identity: dict[str, str]
    model: Model
    stores: tuple[FeatureStore, ...]

    @classmethod
    def open(cls, identity: dict[str, str], lake: Lake) -> "Candidate":
        """Candidate read from the lake.

        Args:
            identity: ``backbone``, ``weights`` and ``model``.
            lake: The lake.

        Returns:
            The candidate.

        Raises:
            StoreError: A feature store no longer exists.
            MissingModelError: The model or a member of it no longer exists.
            ModelError: The model is damaged, or an ensemble does not fit its members.
        """
        model = load_model(lake.resolve(identity["model"]))
        return cls(identity, model, tuple(member.open_store() for member in model.members))

    def has_features(self, hashes: pd.Series) -> "pd.Series[bool]":
        """Whether the stores have the features of each image in all views of the members.

        Args:
            hashes: sha256 of each image; missing values have no features.

        Returns:
            Booleans with the index of ``hashes``.
        """
        known = hashes.notna()
        for member, store in zip(self.model.members, self.stores, strict=True):
            known &= store.known(hashes, member.views)
        return known

    def costs(self) -> dict[str, float]:
        """Size and speed of the model.

        Returns:
            ``parameters``, the number of parameters of all distinct backbones and of the heads; ``training_seconds``;
            ``images_per_second``. The latter two are NaN where they were not measured.
        """
        metrics, members = self.model.metrics(), self.model.members
        backbones = {member.config["features"]["fingerprint"]: member.backbone for member in members}
        heads = sum(tensor.numel() for member in members for tensor in member.head.state_dict().values())
        return {
            "parameters": float(heads + sum(map(count_parameters, backbones.values()))),
            "training_seconds": metrics.get("training_seconds", math.nan),
            "images_per_second": metrics.get("images_per_second", math.nan),
        }

    def scores(self, rows: pd.DataFrame) -> dict[str, float]:
        """Errors of the model on held-out rows.

        Args:
            rows: Rows of ``tables.Splits``, at least one of them in the validation split.

        Returns:
            ``validation_rmse`` and, if there are test rows, ``test_rmse``, ``test_rmse_low``, ``test_rmse_high`` and
            ``test_mae`` (US dollars), ``test_mape`` (%) and ``test_r2``.
        """
        predicted, price = price_known(self.model, rows["sha256"].tolist()), rows["price"].to_numpy()
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
    previous: pd.DataFrame | None,
    margin: float,
    now: datetime,
    requested: str = "",
) -> pd.DataFrame:
    """Leaderboard of all candidates, with the champion chosen among them.

    Args:
        lake: The lake with models and features.
        metrics: ``tables.EvaluationMetrics`` of all evaluated models.
        splits: ``tables.Splits``.
        previous: The previous leaderboard, or None.
        margin: Relative difference by which a challenger's validation RMSE must be lower than the champion's.
        now: The current time.
        requested: Folder of a model, as ``tables.Leaderboard`` names it, that becomes champion regardless of its error,
            or ``previous`` for the champion that was replaced last. A champion replaced by request is set aside: it can
            become champion again only by request. Empty for no request.

    Returns:
        ``tables.Leaderboard``: the candidates by ascending validation error, followed by former champions.

    Raises:
        ChampionError: The requested model is unknown or no longer in the lake, or no validation row can be scored.
    """
    requested = _resolve_request(requested, metrics, previous) if requested else ""
    scored = score_candidates(_with_features(_open_candidates(lake, metrics, previous, requested), splits), splits)
    if requested and requested not in set(scored["model"]):
        raise ChampionError(f"the model {requested} or its features are no longer in the lake: choose another champion")
    champion = requested or _choose_champion(scored, previous, margin)
    return _assemble_board(scored, previous, champion, by_request=bool(requested), now=now)


def score_candidates(candidates: Sequence[Candidate], splits: pd.DataFrame) -> pd.DataFrame:
    """Errors and costs of all candidates on the held-out rows for which every candidate has features.

    Args:
        candidates: The candidates.
        splits: ``tables.Splits``.

    Returns:
        One row for each candidate by ascending validation error, with its identity, :meth:`Candidate.scores`,
        :meth:`Candidate.costs`, ``rows`` (number of validation rows) and ``mean_test_rmse`` (test RMSE of the mean of
        the training prices, US dollars).

    Raises:
        ChampionError: There is no candidate, or no validation row for which all have features.
    """
    shared = splits["split"] != "train"
    for candidate in candidates:
        shared &= candidate.has_features(splits["sha256"])
    rows = splits[shared]
    n = int((rows["split"] == "validation").sum())
    if not candidates or not n:
        raise ChampionError(
            f"no validation row has features of all {len(candidates)} models: materialize image_features and "
            "evaluation_metrics again"
        )
    mean = float(splits.loc[splits["split"] == "train", "price"].mean())
    test = rows.loc[rows["split"] == "test", "price"]
    common = {"rows": n, "mean_test_rmse": float(((test - mean) ** 2).mean() ** 0.5)}
    scored = pd.DataFrame(
        [{**candidate.identity, **candidate.scores(rows), **candidate.costs(), **common} for candidate in candidates]
    )
    return scored.sort_values("validation_rmse", kind="stable", ignore_index=True)


def _open_candidates(
    lake: Lake, metrics: pd.DataFrame, previous: pd.DataFrame | None, requested: str
) -> list[Candidate]:
    """The evaluated models, the current champion and the requested model, except those no longer in the lake."""
    identities = metrics.drop_duplicates("model")[_IDENTITY]
    if previous is not None:
        kept = previous[previous["champion"] | (previous["model"] == requested)]
        identities = pd.concat([identities, kept[_IDENTITY]]).drop_duplicates("model")
    opened = []
    for identity in identities.astype(str).to_dict("records"):
        try:
            opened.append(Candidate.open({str(key): value for key, value in identity.items()}, lake))
        except (StoreError, FileNotFoundError) as error:
            logger.warning("%s is excluded from the comparison: %s", identity["model"], error)
    return opened


def _with_features(candidates: Sequence[Candidate], splits: pd.DataFrame) -> list[Candidate]:
    """The candidates that have features of enough held-out rows."""
    held_out = splits.loc[splits["split"] != "train", "sha256"]
    known = [int(candidate.has_features(held_out).sum()) for candidate in candidates]
    kept = []
    for candidate, n in zip(candidates, known, strict=True):
        if n >= MIN_KNOWN_ROWS * max(known):
            kept.append(candidate)
        else:
            logger.warning(
                "%s is excluded from the comparison: it has features of %d of %d held-out rows, another model of %d",
                candidate.identity["model"],
                n,
                len(held_out),
                max(known),
            )
    return kept


def _resolve_request(requested: str, metrics: pd.DataFrame, previous: pd.DataFrame | None) -> str:
    """Folder of the requested model.

    Raises:
        ChampionError: The model was never evaluated, or there is no former champion to restore.
    """
    replaced = pd.DataFrame() if previous is None else previous[previous["standing"].isin(("former", "set aside"))]
    if requested == PREVIOUS:
        if replaced.empty:
            raise ChampionError("no champion has been replaced yet: there is none to restore")
        return str(replaced.sort_values("since", kind="stable")["model"].iloc[-1])
    known = sorted({*metrics["model"], *([] if previous is None else previous["model"])})
    if requested not in known:
        raise ChampionError(f"no model {requested!r} was evaluated: choose {PREVIOUS} or one of {', '.join(known)}")
    return requested


def _choose_champion(scored: pd.DataFrame, previous: pd.DataFrame | None, margin: float) -> str:
    """Folder of the current champion, unless the model with the lowest validation error beats it by the margin.

    Models that were set aside are not eligible.
    """
    aside: set[str] = set() if previous is None else set(previous.loc[previous["standing"] == "set aside", "model"])
    current: set[str] = set() if previous is None else set(previous.loc[previous["champion"], "model"])
    eligible = scored[~scored["model"].isin(aside)]
    best = (scored if eligible.empty else eligible).iloc[0]
    champion = scored[scored["model"].isin(current)]
    if champion.empty or best["validation_rmse"] < champion["validation_rmse"].iloc[0] * (1 - margin):
        return str(best["model"])
    return str(champion["model"].iloc[0])


def _assemble_board(
    scored: pd.DataFrame, previous: pd.DataFrame | None, champion: str, *, by_request: bool, now: datetime
) -> pd.DataFrame:
    """``tables.Leaderboard`` of the scored models, followed by former champions that were not scored."""
    columns = list(Leaderboard.to_schema().columns)
    old = pd.DataFrame(columns=columns) if previous is None else previous.reindex(columns=columns)
    old_standing = dict(zip(old["model"], old["standing"], strict=True))
    since = dict(zip(old["model"], old["since"], strict=True))

    def standing(model: str) -> str:
        if model == champion:
            return "champion"
        if old_standing.get(model) == "champion":
            return "set aside" if by_request else "former"
        return str(old_standing.get(model, "challenger"))

    unscored = old[~old["model"].isin(scored["model"]) & (old["standing"] != "challenger")]
    board = pd.concat([scored, unscored[scored.columns]], ignore_index=True) if len(unscored) else scored
    standings = [standing(model) for model in board["model"]]
    board = board.assign(
        rank=range(1, len(board) + 1),
        champion=board["model"] == champion,
        standing=standings,
        since=[
            since[model] if old_standing.get(model) == new_standing else now
            for model, new_standing in zip(board["model"], standings, strict=True)
        ],
    )
    return board.reindex(columns=columns)
