"""How a search for settings went."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sneaker_assets.figures.style import BLUE, GREY, ORANGE, dollars, styled


@styled
def tuning_progress(trials: pd.DataFrame) -> Figure:
    """Validation error of each trial in order, and the least so far, one panel a kind of head.

    Args:
        trials: ``tables.TunedHyperparameters``.
    """
    kinds = list(trials["kind"].unique())
    figure = Figure(figsize=(1 + 4.2 * len(kinds), 3.6), layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, len(kinds), squeeze=False, sharey=True)[0])
    for axes, kind in zip(panels, kinds, strict=True):
        rows = trials[(trials["kind"] == kind) & trials["validation_rmse"].notna()].sort_values("trial")
        ended = rows[rows["state"] == "complete"]
        pruned = rows[rows["state"] == "pruned"]
        axes.scatter(pruned["trial"], pruned["validation_rmse"], s=12, color=GREY, alpha=0.6, label="given up early")
        axes.scatter(ended["trial"], ended["validation_rmse"], s=14, color=BLUE, label="to its end")
        axes.step(ended["trial"], ended["validation_rmse"].cummin(), where="post", color=ORANGE, label="least so far")
        axes.set(title=kind.replace("_", " ").capitalize(), xlabel="Trial")
    worst = trials.loc[trials["state"] == "complete", "validation_rmse"]
    least, typical = float(worst.min()), float(worst.quantile(0.9))
    # A trial that learns nothing would squeeze all others into a line.
    panels[0].set(
        ylabel=dollars("Validation RMSE"), ylim=(least - 0.1 * (typical - least + 1), 2 * typical - least + 1)
    )
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
