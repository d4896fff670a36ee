"""Figure of a hyperparameter search."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sneaker_assets.figures.style import BLUE, GREY, ORANGE, dollars, styled


@styled
def tuning_progress(trials: pd.DataFrame) -> Figure:
    """Validation RMSE of each trial in order, and the best so far, one panel per kind of head.

    Args:
        trials: ``tables.TunedHyperparameters``.
    """
    kinds = list(trials["kind"].unique())
    figure = Figure(figsize=(1 + 4.2 * len(kinds), 3.6), layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, len(kinds), squeeze=False, sharey=True)[0])
    for axes, kind in zip(panels, kinds, strict=True):
        rows = trials[(trials["kind"] == kind) & trials["validation_rmse"].notna()].sort_values("trial")
        complete = rows[rows["state"] == "complete"]
        pruned = rows[rows["state"] == "pruned"]
        axes.scatter(pruned["trial"], pruned["validation_rmse"], s=12, color=GREY, alpha=0.6, label="pruned")
        axes.scatter(complete["trial"], complete["validation_rmse"], s=14, color=BLUE, label="complete")
        best = complete["validation_rmse"].cummin()
        axes.step(complete["trial"], best, where="post", color=ORANGE, label="best so far")
        axes.set(title=kind.replace("_", " ").capitalize(), xlabel="Trial")
    errors = trials.loc[trials["state"] == "complete", "validation_rmse"]
    lowest, high = float(errors.min()), float(errors.quantile(0.9))
    # Outliers are cut off: one failed trial would otherwise compress all others into a line.
    panels[0].set(ylabel=dollars("Validation RMSE"), ylim=(lowest - 0.1 * (high - lowest + 1), 2 * high - lowest + 1))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
