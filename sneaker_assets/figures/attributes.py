"""Figures of residuals by attributes of the shoes."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sneaker_assets.figures.style import BLUE, ORANGE, styled

_STATISTICS = {"spearman": "Spearman correlation", "eta_squared": "η²"}
_COLUMNS = 3


@styled
def residuals_by_attribute(attributes: pd.DataFrame) -> Figure:
    """Bar chart of the mean residual per quintile or group, one panel per attribute.

    Args:
        attributes: ``tables.ResidualAttributes``.
    """
    names = list(attributes["attribute"].unique())
    n_rows = -(-len(names) // _COLUMNS)
    figure = Figure(figsize=(11, 3.2 * n_rows), layout="constrained")
    panels: list[Axes] = list(figure.subplots(n_rows, _COLUMNS, squeeze=False).ravel())
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(panels, names, strict=False):
        rows = attributes[attributes["attribute"] == name]
        overall = rows[rows["member"] == "all"].iloc[0]
        means = rows[rows["measure"] == "mean_residual"]
        if overall["measure"] == "eta_squared":
            means = means.sort_values("value")
        axes.barh(range(len(means)), 100 * means["value"], color=BLUE, height=0.7)
        axes.axvline(0, color=ORANGE)
        axes.set(
            title=f"{name.replace('_', ' ').capitalize()}\n"
            f"{_STATISTICS[overall['measure']]} = {overall['value']:.2f}\np = {overall['p_value']:.1g}",
            xlabel="Mean residual (% of the price)",
            yticks=range(len(means)),
            yticklabels=[_tick_label(str(member)) for member in means["member"]],
        )
    return figure


def _tick_label(member: str) -> str:
    if not member.startswith("fifth "):
        return member[:24]
    quintile = member.removeprefix("fifth ")
    return {"1": "1 (lowest)", "5": "5 (highest)"}.get(quintile, quintile)
