"""What a price model leaves unexplained, by what can be said of the shoes."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sneaker_assets.figures.style import BLUE, ORANGE, styled

_SYMBOL = {"spearman": "rank correlation", "eta_squared": "share of variance"}


@styled
def residuals_by_attribute(attributes: pd.DataFrame) -> Figure:
    """Mean residual of each fifth or group, one panel an attribute.

    Args:
        attributes: ``tables.ResidualAttributes``.
    """
    names = list(attributes["attribute"].unique())
    figure = Figure(figsize=(11, 3.2 * ((len(names) + 2) // 3)), layout="constrained")
    panels: list[Axes] = list(figure.subplots((len(names) + 2) // 3, 3, squeeze=False).ravel())
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(panels, names, strict=False):
        rows = attributes[attributes["attribute"] == name]
        whole = rows[rows["member"] == "all"].iloc[0]
        means = rows[rows["measure"] == "mean_residual"]
        if whole["measure"] == "eta_squared":
            means = means.sort_values("value")
        percent = 100 * means["value"]
        axes.barh(range(len(means)), percent, color=BLUE, height=0.7)
        axes.axvline(0, color=ORANGE)
        axes.set(
            title=f"{name.replace('_', ' ').capitalize()}\n{_SYMBOL[whole['measure']]} {whole['value']:.2f}\n"
            f"p = {whole['p_value']:.1g}",
            xlabel="Mean residual (% of the price)",
            yticks=range(len(means)),
            yticklabels=[_said(str(member)) for member in means["member"]],
        )
    return figure


def _said(member: str) -> str:
    return {"fifth 1": "lowest fifth", "fifth 5": "highest fifth"}.get(member, member.removeprefix("fifth ")[:24])
