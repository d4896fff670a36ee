"""How a price model learned and how far its prices can be trusted."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sneaker_assets.figures.releases import Heat, Picture, draw_heat
from sneaker_assets.figures.style import BLUE, GREY, ORANGE, dollars, styled
from sneaker_assets.vision.backbones.weights_source import WeightsSource


@styled
def learning_curve(history: pd.DataFrame, best_epoch: int) -> Figure:
    """Training and validation error over the epochs, the epoch that was kept marked.

    Args:
        history: Columns ``epoch``, ``train_mse`` and ``validation_mse`` (US dollars squared).
        best_epoch: The epoch whose weights were kept.
    """
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    _draw_curve(figure.subplots(), "Learning curve", history, best_epoch)
    return figure


@styled
def learning_curves(curves: Sequence[tuple[str, pd.DataFrame, int]]) -> Figure:
    """The same for several trainings beside each other, each on a scale of its own.

    Args:
        curves: Title, history and epoch that was kept, as :func:`learning_curve` takes them.
    """
    figure = Figure(figsize=(5 * len(curves), 3.6), layout="constrained")
    for axes, (title, history, best_epoch) in zip(
        figure.subplots(1, len(curves), squeeze=False)[0], curves, strict=True
    ):
        _draw_curve(axes, title, history, best_epoch)
    return figure


def _draw_curve(axes: Axes, title: str, history: pd.DataFrame, best_epoch: int) -> None:
    for name, column, colour in (("training", "train_mse", GREY), ("validation", "validation_mse", BLUE)):
        axes.plot(history["epoch"], np.sqrt(history[column]), marker=".", color=colour, label=name)
    axes.axvline(best_epoch, color=ORANGE, linestyle="--", label=f"kept: epoch {best_epoch}")
    axes.set(title=title, xlabel="Epoch", ylabel="RMSE (US dollars)", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


@styled
def regularisation_path(history: pd.DataFrame, best: int) -> Figure:
    """Training and validation error over the penalties, the one that was kept marked.

    Args:
        history: Columns ``alpha``, ``train_mse`` and ``validation_mse`` (US dollars squared); ``gamma`` for a kernel.
        best: The row that was kept.
    """
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes: Axes = figure.subplots()
    kept = history.iloc[best]
    path = history[history["gamma"] == kept["gamma"]] if "gamma" in history else history
    axes.plot(path["alpha"], np.sqrt(path["train_mse"]), color=GREY, label="training")
    axes.plot(path["alpha"], np.sqrt(path["validation_mse"]), color=BLUE, label="validation")
    axes.axvline(kept["alpha"], color=ORANGE, linestyle="--", label=f"kept: {kept['alpha']:.3g}")
    title = f"Regularisation path at gamma {kept['gamma']:g}" if "gamma" in history else "Regularisation path"
    axes.set(title=title, xlabel="Penalty alpha", ylabel="RMSE (US dollars)", xscale="log", ylim=(0, None))
    axes.legend()
    return figure


@styled
def predicted_against_actual(predictions: pd.DataFrame, title: str) -> Figure:
    """One point a held-out listing; the diagonal is a perfect prediction.

    Args:
        predictions: Columns ``split``, ``price`` and ``predicted`` (US dollars).
        title: What was scored.
    """
    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes: Axes = figure.subplots()
    for split, colour in (("validation", GREY), ("test", BLUE)):
        rows = predictions[predictions["split"] == split]
        axes.scatter(rows["price"], rows["predicted"], s=10, alpha=0.5, color=colour, linewidths=0, label=split)
    limit = float(max(predictions["price"].max(), predictions["predicted"].max())) * 1.05
    axes.plot([0, limit], [0, limit], color=ORANGE, linestyle="--", label="perfect")
    axes.set(
        title=title,
        xlabel=dollars("Actual price"),
        ylabel=dollars("Predicted price"),
        xlim=(0, limit),
        ylim=(0, limit),
    )
    axes.legend(loc="upper left")
    return figure


@styled
def residuals_and_calibration(predictions: pd.DataFrame) -> Figure:
    """What is left of the price after the prediction, and the mean price of each tenth of the predictions.

    Args:
        predictions: Test rows; columns ``price`` and ``predicted`` (US dollars).
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    residual_axes, calibration_axes = figure.subplots(1, 2)
    predicted, price = predictions["predicted"], predictions["price"]
    residual_axes.scatter(predicted, price - predicted, s=10, alpha=0.5, color=BLUE, linewidths=0)
    residual_axes.axhline(0, color=ORANGE, linestyle="--")
    residual_axes.set(title="Residuals", xlabel=dollars("Predicted price"), ylabel=dollars("Actual less predicted"))
    tenth = predicted.rank(method="first", pct=True).mul(10).apply(np.ceil)
    means = predictions[["predicted", "price"]].groupby(tenth).mean()
    calibration_axes.plot(means["predicted"], means["price"], color=BLUE, marker="o", label="tenths")
    limits = [float(means.to_numpy().min()), float(means.to_numpy().max())]
    calibration_axes.plot(limits, limits, color=ORANGE, linestyle="--", label="perfect")
    calibration_axes.set(title="Calibration", xlabel=dollars("Mean prediction"), ylabel=dollars("Mean price"))
    calibration_axes.legend()
    return figure


@styled
def leaderboard(board: pd.DataFrame) -> Figure:
    """Validation and test error of each model beside the mean's, that on test rows with its 95 % interval.

    Args:
        board: ``tables.Leaderboard``.
    """
    figure = Figure(figsize=(7, 1.4 + 0.5 * len(board)), layout="constrained")
    axes: Axes = figure.subplots()
    rows = np.arange(len(board))
    axes.barh(rows - 0.2, board["validation_rmse"], 0.4, color=GREY, label="validation")
    test = board["test_rmse"]
    # A bootstrap interval of few rows may lie beside the figure.
    bounds = [(test - board["test_rmse_low"]).clip(lower=0), (board["test_rmse_high"] - test).clip(lower=0)]
    axes.barh(rows + 0.2, test, 0.4, xerr=bounds, ecolor="black", capsize=3, color=BLUE, label="test")
    axes.axvline(board["mean_test_rmse"].iloc[0], color=ORANGE, linestyle="--", label="test, mean of training prices")
    standing = board["standing"].where(board["standing"] != "challenger", "")
    further = board["weights"].map(lambda text: " fine-tuned" if WeightsSource.parse(text).fine_tuned_from else "")
    named = zip(board["backbone"] + further, standing, strict=True)
    names = [f"{backbone} {of_it}".strip() for backbone, of_it in named]
    axes.set(title="Error by model", xlabel="RMSE (US dollars)", yticks=rows, yticklabels=names)
    axes.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def explained_predictions(rows: Sequence[tuple[str, Sequence[tuple[Picture, Heat, str]]]]) -> Figure:
    """What the model looked at, one row of pictures a kind of prediction.

    Args:
        rows: The row's name, and its pictures: uint8 [height, width, 3], what each part of it adds to the price
            (float32 [height, width], US dollars), and what is said below it.
    """
    columns = max(1, *(len(pictures) for _, pictures in rows))
    height, width = rows[0][1][0][0].shape[:2]
    figure = Figure(figsize=(2.8 * columns, (2.8 * height / width + 0.7) * len(rows) + 0.4), layout="constrained")
    figure.suptitle("What the model looked at: orange raises the price, blue lowers it", x=0.01, ha="left", fontsize=10)
    blocks = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
    for block, (name, pictures) in zip(blocks, rows, strict=True):
        block.suptitle(name, x=0.01, ha="left", fontsize=10, fontweight="bold")
        for axes in (grid := block.subplots(1, columns, squeeze=False)[0]):
            axes.set_axis_off()
        for axes, (pixels, heat, words) in zip(grid, pictures, strict=False):
            draw_heat(axes, pixels, heat)
            axes.set_title(words, loc="center", fontsize=8, fontweight="normal")
    return figure
