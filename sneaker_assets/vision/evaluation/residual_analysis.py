"""What a price model leaves unexplained, beside what can be said of a shoe in a word: its colour, height, brand.

A residual is the logarithm of the price over the prediction: 0.1 is a shoe that costs about 10 % more than it was
thought to. An attribute that goes with residuals is one that the model could still learn from.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import f_oneway, spearmanr

from sneaker_assets.tables import ResidualAttributes
from sneaker_assets.vision.heads.conformal import LEAST_PRICE

NUMBERS = ("brightness", "saturation", "warmth", "height")
GROUPS = ("brand", "site", "label_kind")
FEWEST = 5
"""Rows that a group needs in order to be compared."""

FIFTHS = 5
BRANDS = 12
"""Groups that are kept of an attribute, the largest ones."""


def residual_attributes(backbone: str, predictions: pd.DataFrame, listings: pd.DataFrame) -> pd.DataFrame:
    """How residuals on test rows go with attributes of the shoe.

    Args:
        backbone: Its name.
        predictions: What ``evaluation.predict_listings`` gives.
        listings: ``tables.CleanListings`` of the same rows.

    Returns:
        ``tables.ResidualAttributes``: for numbers Spearman's rank correlation and the mean residual of each fifth, for
        groups the share of variance between them (eta squared, one-way ANOVA) and the mean residual of each.
    """
    test = predictions[predictions["split"] == "test"]
    known = [column for column in listings.columns if column not in test.columns]
    rows = test.merge(listings[["site", "product_id", *known]], on=["site", "product_id"], how="left", validate="1:1")
    rows = rows.assign(
        residual=np.log(rows["price"]) - np.log(np.maximum(rows["model"], LEAST_PRICE)), **_numbers(rows)
    )
    found = [line for name in NUMBERS for line in _of_number(rows, name)]
    found += [line for name in GROUPS for line in _of_group(rows, name)]
    table = pd.DataFrame(found).assign(backbone=backbone)
    return table.reindex(columns=list(ResidualAttributes.to_schema().columns))


def _numbers(rows: pd.DataFrame) -> dict[str, "pd.Series[float]"]:
    """Attributes of the trimmed picture: colours in [0, 1], height as a share of its width."""
    colours = rows[["red", "green", "blue"]].astype(float) / 255
    return {
        # Rec. 709's weights: https://www.itu.int/rec/R-REC-BT.709
        "brightness": 0.2126 * colours["red"] + 0.7152 * colours["green"] + 0.0722 * colours["blue"],
        "saturation": colours.max(axis=1) - colours.min(axis=1),
        "warmth": colours["red"] - colours["blue"],
        "height": (rows["bottom"] - rows["top"]) / (rows["right"] - rows["left"]),
    }


def _of_number(rows: pd.DataFrame, name: str) -> Iterator[dict[str, object]]:
    known = rows[np.isfinite(rows[name])]
    if len(known) < FEWEST * FIFTHS or known[name].nunique() < FIFTHS or known["residual"].nunique() < 2:
        return
    value, p_value = spearmanr(known[name], known["residual"])
    yield _line(name, "all", "spearman", len(known), float(value), p_value=float(p_value))
    fifth = known[name].rank(method="first", pct=True).mul(FIFTHS).apply(np.ceil).astype(int)
    for number, members in known.groupby(fifth):
        yield _line(name, f"fifth {number}", "mean_residual", len(members), float(members["residual"].mean()))


def _of_group(rows: pd.DataFrame, name: str) -> Iterator[dict[str, object]]:
    sizes = rows[name].dropna().astype(str).value_counts() if name in rows else pd.Series(dtype=int)
    members = [str(member) for member in sizes[sizes >= FEWEST].index[:BRANDS]]
    if len(members) < 2:
        return
    groups = {
        member: rows.loc[rows[name].astype(str) == member, "residual"].to_numpy(dtype=float) for member in members
    }
    every = np.concatenate(list(groups.values()))
    between = sum(len(group) * (group.mean() - every.mean()) ** 2 for group in groups.values())
    p_value = float(f_oneway(*groups.values()).pvalue)
    total = float(((every - every.mean()) ** 2).sum())
    yield _line(name, "all", "eta_squared", len(every), float(between) / total if total else 0.0, p_value=p_value)
    for member, group in groups.items():
        yield _line(name, member, "mean_residual", len(group), float(group.mean()))


def _line(
    attribute: str, member: str, measure: str, n: int, value: float, *, p_value: float = float("nan")
) -> dict[str, object]:
    return {
        "attribute": attribute, "member": member, "measure": measure, "n": n, "value": value, "p_value": p_value,
    }  # fmt: skip
