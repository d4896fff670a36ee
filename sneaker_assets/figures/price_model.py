"""Figures of price models: histories, learning curves, residuals, calibration, leaderboard, attributions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sneaker_assets.figures.releases import Heat, Picture, draw_heat
from sneaker_assets.figures.style import BLUE, GREY, ORANGE, THOUSANDS, dollars, styled
from sneaker_assets.vision.backbones.weights_source import WeightsSource


@styled
def learning_curve(history: pd.DataFrame, best_epoch: int) -> Figure:
    """Training and validation RMSE by epoch, with the selected epoch marked.

    Args:
        history: Columns ``epoch``, ``train_mse`` and ``validation_mse`` (US dollars squared).
        best_epoch: The epoch whose weights were kept.
    """
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    _draw_curve(figure.subplots(), "Learning curve", history, best_epoch)
    return figure


@styled
def learning_curves(curves: Sequence[tuple[str, pd.DataFrame, int]]) -> Figure:
    """Learning curves of several models, one panel each with its own scale.

    Args:
        curves: Title, history and best epoch of each, as in :func:`learning_curve`.
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
    axes.axvline(best_epoch, color=ORANGE, linestyle="--", label=f"best: epoch {best_epoch}")
    axes.set(title=title, xlabel="Epoch", ylabel=dollars("RMSE"), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


@styled
def training_size_curve(curve: pd.DataFrame, title: str) -> Figure:
    """Test and validation RMSE by number of training rows, beside that of the mean price.

    Lines are means over the subsets of a share and dots the test RMSE of each subset; the band is the mean bootstrap
    95 % interval over the test rows.

    Args:
        curve: ``tables.TrainingSizeCurve``.
        title: Title of the figure.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes: Axes = figure.subplots()
    model = curve[curve["predictor"] == "model"]
    test, mean = model[model["split"] == "test"], curve[(curve["predictor"] == "mean") & (curve["split"] == "test")]
    for rows, colour, label, dash in (
        (mean, ORANGE, "test, mean of the training prices", "--"),
        (model[model["split"] == "validation"], GREY, "validation, mean over subsets", "-"),
        (test, BLUE, "test, mean over subsets", "-"),
    ):
        means = rows.groupby("share")[["rows", "rmse"]].mean()
        axes.plot(means["rows"], means["rmse"], color=colour, linestyle=dash, label=label)
    axes.scatter(test["rows"], test["rmse"], s=14, color=BLUE, linewidths=0, label="test, each subset")
    band = test.groupby("share")[["rows", "rmse_low", "rmse_high"]].mean()
    interval = axes.fill_between(band["rows"], band["rmse_low"], band["rmse_high"], color=BLUE, alpha=0.15, linewidth=0)
    interval.set_label("95 % interval over the test rows")
    axes.set_xscale("log")
    axes.set_xticks(band["rows"], [f"{rows:,.0f}" for rows in band["rows"]])
    axes.set_xticks([], minor=True)
    axes.set(title=title, xlabel="Training rows", ylabel=dollars("RMSE"))
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@styled
def regularisation_path(history: pd.DataFrame, best: int) -> Figure:
    """Training and validation RMSE by regularisation strength, with the selected one marked.

    Args:
        history: Columns ``alpha``, ``train_mse`` and ``validation_mse`` (US dollars squared); ``gamma`` for a kernel.
        best: Position of the selected row.
    """
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes: Axes = figure.subplots()
    selected = history.iloc[best]
    path = history[history["gamma"] == selected["gamma"]] if "gamma" in history else history
    axes.plot(path["alpha"], np.sqrt(path["train_mse"]), color=GREY, label="training")
    axes.plot(path["alpha"], np.sqrt(path["validation_mse"]), color=BLUE, label="validation")
    axes.axvline(selected["alpha"], color=ORANGE, linestyle="--", label=f"best: {selected['alpha']:.3g}")
    title = f"Regularisation path (gamma = {selected['gamma']:g})" if "gamma" in history else "Regularisation path"
    axes.set(title=title, xlabel="Regularisation strength alpha", ylabel=dollars("RMSE"), xscale="log", ylim=(0, None))
    axes.legend()
    return figure


@styled
def predicted_against_actual(predictions: pd.DataFrame, title: str) -> Figure:
    """Scatter plot of predicted against actual prices of held-out listings, with the identity line.

    Args:
        predictions: Columns ``split``, ``price`` and ``predicted`` (US dollars).
        title: Title of the figure.
    """
    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes: Axes = figure.subplots()
    for split, colour in (("validation", GREY), ("test", BLUE)):
        rows = predictions[predictions["split"] == split]
        axes.scatter(rows["price"], rows["predicted"], s=10, alpha=0.5, color=colour, linewidths=0, label=split)
    limit = float(max(predictions["price"].max(), predictions["predicted"].max())) * 1.05
    axes.plot([0, limit], [0, limit], color=ORANGE, linestyle="--", label="perfect prediction")
    axes.set(
        title=title,
        xlabel=dollars("Actual price"),
        ylabel=dollars("Predicted price"),
        xlim=(0, limit),
        ylim=(0, limit),
    )
    axes.xaxis.set_major_formatter(THOUSANDS)
    axes.yaxis.set_major_formatter(THOUSANDS)
    axes.legend(loc="upper left")
    return figure


@styled
def residuals_and_calibration(predictions: pd.DataFrame) -> Figure:
    """Residuals by predicted price, and the mean price per decile of the predictions.

    Args:
        predictions: Test rows; columns ``price`` and ``predicted`` (US dollars).
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    residuals, calibration = figure.subplots(1, 2)
    predicted, price = predictions["predicted"], predictions["price"]
    residuals.scatter(predicted, price - predicted, s=10, alpha=0.5, color=BLUE, linewidths=0)
    residuals.axhline(0, color=ORANGE, linestyle="--")
    residuals.set(title="Residuals", xlabel=dollars("Predicted price"), ylabel=dollars("Actual minus predicted"))
    decile = predicted.rank(method="first", pct=True).mul(10).apply(np.ceil)
    means = predictions[["predicted", "price"]].groupby(decile).mean()
    calibration.plot(means["predicted"], means["price"], color=BLUE, marker="o", label="deciles of the predictions")
    limits = [float(means.to_numpy().min()), float(means.to_numpy().max())]
    calibration.plot(limits, limits, color=ORANGE, linestyle="--", label="perfect calibration")
    calibration.set(title="Calibration", xlabel=dollars("Mean predicted price"), ylabel=dollars("Mean actual price"))
    calibration.legend()
    for axis in (residuals.xaxis, residuals.yaxis, calibration.xaxis, calibration.yaxis):
        axis.set_major_formatter(THOUSANDS)
    return figure


@styled
def leaderboard(board: pd.DataFrame) -> Figure:
    """Validation and test RMSE of each model, with bootstrap 95 % intervals, and the mean-price baseline.

    Args:
        board: ``tables.Leaderboard``.
    """
    figure = Figure(figsize=(7, 1.4 + 0.5 * len(board)), layout="constrained")
    axes: Axes = figure.subplots()
    rows = np.arange(len(board))
    axes.barh(rows - 0.2, board["validation_rmse"], 0.4, color=GREY, label="validation")
    test = board["test_rmse"]
    # With few rows the estimate may lie outside its own bootstrap interval.
    errors = [(test - board["test_rmse_low"]).clip(lower=0), (board["test_rmse_high"] - test).clip(lower=0)]
    axes.barh(rows + 0.2, test, 0.4, xerr=errors, ecolor="black", capsize=3, color=BLUE, label="test")
    axes.axvline(board["mean_test_rmse"].iloc[0], color=ORANGE, linestyle="--", label="test, mean-price baseline")
    standing = board["standing"].where(board["standing"] != "challenger", "")
    fine_tuned = [
        " fine-tuned" if backbone != "ensemble" and WeightsSource.parse(text).fine_tuned_from else ""
        for backbone, text in zip(board["backbone"], board["weights"], strict=True)
    ]
    labels = zip(board["backbone"] + fine_tuned, standing, strict=True)
    names = [f"{backbone} {label}".strip() for backbone, label in labels]
    axes.set(title="RMSE by model", xlabel=dollars("RMSE"), yticks=rows, yticklabels=names)
    axes.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def explained_predictions(rows: Sequence[tuple[str, Sequence[tuple[Picture, Heat, str]]]]) -> Figure:
    """Attribution maps over their images, one row of images per kind of prediction.

    Args:
        rows: Title of the row, and for each image its pixels (RGB, uint8 [height, width, 3]), the contribution of
            each pixel to the predicted price (float32 [height, width], US dollars) and a caption.
    """
    columns = max(1, *(len(pictures) for _, pictures in rows))
    height, width = rows[0][1][0][0].shape[:2]
    figure = Figure(figsize=(2.8 * columns, (2.8 * height / width + 0.7) * len(rows) + 0.4), layout="constrained")
    figure.suptitle("Attribution: orange raises the price, blue lowers it", x=0.01, ha="left", fontsize=10)
    blocks = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
    for block, (name, pictures) in zip(blocks, rows, strict=True):
        block.suptitle(name, x=0.01, ha="left", fontsize=10, fontweight="bold")
        for axes in (grid := block.subplots(1, columns, squeeze=False)[0]):
            axes.set_axis_off()
        for axes, (pixels, heat, caption) in zip(grid, pictures, strict=False):
            draw_heat(axes, pixels, heat)
            axes.set_title(caption, loc="center", fontsize=8, fontweight="normal")
    return figure
