"""Association of a price model's residuals with attributes of the shoe such as colour, height and brand.

A residual is the logarithm of price over prediction: 0.1 is a shoe about 10 % more expensive than predicted. An
attribute associated with the residuals carries information about the price that the model does not use yet.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import f_oneway, spearmanr

from sneaker_assets.tables import ResidualAttributes
from sneaker_assets.vision.heads.conformal import MIN_PRICE

NUMBERS = ("brightness", "saturation", "warmth", "height")
GROUPS = ("brand", "site", "label_kind")
MIN_ROWS = 5
"""Minimum number of rows of a group."""

N_QUANTILES = 5
MAX_GROUPS = 12
"""Maximum number of groups of an attribute; the largest are used."""


def residual_attributes(backbone: str, predictions: pd.DataFrame, listings: pd.DataFrame) -> pd.DataFrame:
    """Association of the residuals on test rows with each attribute.

    Args:
        backbone: Name of the backbone, stored in the column ``backbone``.
        predictions: What :func:`evaluate.predict_listings` returns.
        listings: ``tables.CleanListings`` of the same rows.

    Returns:
        ``tables.ResidualAttributes``: for numeric attributes Spearman's rank correlation and the mean residual of each
        fifth, for categorical ones eta squared (the share of variance between groups, tested with one-way ANOVA) and
        the mean residual of each group. Attributes with too few rows or a single value are absent.
    """
    test = predictions[predictions["split"] == "test"]
    known = [column for column in listings.columns if column not in test.columns]
    rows = test.merge(listings[["site", "product_id", *known]], on=["site", "product_id"], how="left", validate="1:1")
    rows = rows.assign(
        residual=np.log(rows["price"]) - np.log(np.maximum(rows["model"], MIN_PRICE)), **_numeric_attributes(rows)
    )
    records = [record for name in NUMBERS for record in _numeric_association(rows, name)]
    records += [record for name in GROUPS for record in _categorical_association(rows, name)]
    table = pd.DataFrame(records).assign(backbone=backbone)
    return table.reindex(columns=list(ResidualAttributes.to_schema().columns))


def _numeric_attributes(rows: pd.DataFrame) -> dict[str, "pd.Series[float]"]:
    """Attributes of the trimmed image: colours in [0, 1], height divided by width."""
    colours = rows[["red", "green", "blue"]].astype(float) / 255
    return {
        # Luma weights of Rec. 709: https://www.itu.int/rec/R-REC-BT.709
        "brightness": 0.2126 * colours["red"] + 0.7152 * colours["green"] + 0.0722 * colours["blue"],
        "saturation": colours.max(axis=1) - colours.min(axis=1),
        "warmth": colours["red"] - colours["blue"],
        "height": (rows["bottom"] - rows["top"]) / (rows["right"] - rows["left"]),
    }


def _numeric_association(rows: pd.DataFrame, name: str) -> Iterator[dict[str, object]]:
    known = rows[np.isfinite(rows[name])]
    if len(known) < MIN_ROWS * N_QUANTILES or known[name].nunique() < N_QUANTILES or known["residual"].nunique() < 2:
        return
    value, p_value = spearmanr(known[name], known["residual"])
    yield _record(name, "all", "spearman", len(known), float(value), p_value=float(p_value))
    fifth = known[name].rank(method="first", pct=True).mul(N_QUANTILES).apply(np.ceil).astype(int)
    for number, members in known.groupby(fifth):
        yield _record(name, f"fifth {number}", "mean_residual", len(members), float(members["residual"].mean()))


def _categorical_association(rows: pd.DataFrame, name: str) -> Iterator[dict[str, object]]:
    sizes = rows[name].dropna().astype(str).value_counts() if name in rows else pd.Series(dtype=int)
    members = [str(member) for member in sizes[sizes >= MIN_ROWS].index[:MAX_GROUPS]]
    if len(members) < 2:
        return
    groups = {
        member: rows.loc[rows[name].astype(str) == member, "residual"].to_numpy(dtype=float) for member in members
    }
    pooled = np.concatenate(list(groups.values()))
    between = sum(len(group) * (group.mean() - pooled.mean()) ** 2 for group in groups.values())
    p_value = float(f_oneway(*groups.values()).pvalue)
    total = float(((pooled - pooled.mean()) ** 2).sum())
    yield _record(name, "all", "eta_squared", len(pooled), float(between) / total if total else 0.0, p_value=p_value)
    for member, group in groups.items():
        yield _record(name, member, "mean_residual", len(group), float(group.mean()))


def _record(
    attribute: str, member: str, measure: str, n: int, value: float, *, p_value: float = float("nan")
) -> dict[str, object]:
    return {
        "attribute": attribute, "member": member, "measure": measure, "n": n, "value": value, "p_value": p_value,
    }  # fmt: skip
