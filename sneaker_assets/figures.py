"""Every figure, one function each: from a table to a Figure, in one style. Where it is kept is the caller's concern.

Figures are made without pyplot, so any number of threads can draw.
"""

import io
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#718096"

_STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titleweight": "bold",
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "grid.color": "#e2e8f0",
    "legend.frameon": False,
    "font.size": 10,
    "figure.dpi": 120,
    "text.parse_math": False,
}

_Parameters = ParamSpec("_Parameters")


def _styled(draw: Callable[_Parameters, Figure]) -> Callable[_Parameters, Figure]:
    """Draw in the house style, whatever the process's own settings are."""

    @wraps(draw)
    def styled(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> Figure:
        with mpl.rc_context(rc=_STYLE):
            return draw(*args, **kwargs)

    return styled


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def thumbnail(png: bytes, most_bytes: int = 20_000) -> bytes:
    """A palette PNG of at most ``most_bytes``, as wide as that allows and never wider than 640 pixels."""
    with Image.open(io.BytesIO(png)) as opened:
        image = opened.convert("RGB")
    for width in (640, 560, 480, 400, 320, 240, 160, 80):
        small = image.copy()
        small.thumbnail((width, 10 * width), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        small.quantize(32).save(file, format="png", optimize=True)
        if file.tell() <= most_bytes:
            break
    return file.getvalue()


def _dollars(axis_label: str = "Price") -> str:
    return f"{axis_label} (US dollars)"


@_styled
def price_histograms(listings: pd.DataFrame, clean_listings: pd.DataFrame, upper_fence: float) -> Figure:
    """Raw prices on a logarithmic axis with the fence drawn, beside the clean ones on a linear axis.

    Args:
        listings: ``tables.Listings``.
        clean_listings: ``tables.CleanListings``.
        upper_fence: US dollars.
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    raw_axes, clean_axes = figure.subplots(1, 2)
    raw, clean = listings["price"].dropna(), clean_listings["price"]
    raw_axes.hist(raw, bins=np.geomspace(raw.min(), raw.max() * 1.01, 50), color=GREY)
    raw_axes.axvline(upper_fence, color=ORANGE, linestyle="--", label=f"fence ${upper_fence:,.0f}")
    raw_axes.set(
        xscale="log",
        title=f"Raw: {len(raw):,} prices up to ${raw.max():,.0f}",
        xlabel=_dollars() + ", logarithmic",
        ylabel="Listings",
    )
    raw_axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    raw_axes.legend()
    clean_axes.hist(clean, bins=50, color=BLUE)
    clean_axes.axvline(clean.median(), color=ORANGE, label=f"median ${clean.median():,.0f}")
    clean_axes.set(title=f"Clean: {len(clean):,} prices", xlabel=_dollars(), ylabel="Listings")
    clean_axes.legend()
    return figure


@_styled
def learning_curve(history: pd.DataFrame, best_epoch: int) -> Figure:
    """Training and validation error over the epochs, the epoch that was kept marked.

    Args:
        history: Columns ``epoch``, ``train_mse`` and ``validation_mse`` (US dollars squared).
        best_epoch: The epoch whose weights were kept.
    """
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes: Axes = figure.subplots()
    axes.plot(history["epoch"], np.sqrt(history["train_mse"]), color=GREY, label="training")
    axes.plot(history["epoch"], np.sqrt(history["validation_mse"]), color=BLUE, label="validation")
    axes.axvline(best_epoch, color=ORANGE, linestyle="--", label=f"kept: epoch {best_epoch}")
    axes.set(title="Learning curve", xlabel="Epoch", ylabel="RMSE (US dollars)", ylim=(0, None))
    axes.legend()
    return figure


@_styled
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
        xlabel=_dollars("Actual price"),
        ylabel=_dollars("Predicted price"),
        xlim=(0, limit),
        ylim=(0, limit),
    )
    axes.legend(loc="upper left")
    return figure


@_styled
def leaderboard(board: pd.DataFrame) -> Figure:
    """Validation and test error of each backbone beside the mean's.

    Args:
        board: ``tables.Leaderboard``.
    """
    figure = Figure(figsize=(7, 1.4 + 0.5 * len(board)), layout="constrained")
    axes: Axes = figure.subplots()
    rows = np.arange(len(board))
    axes.barh(rows - 0.2, board["validation_rmse"], 0.4, color=GREY, label="validation")
    axes.barh(rows + 0.2, board["test_rmse"], 0.4, color=BLUE, label="test")
    axes.axvline(board["mean_test_rmse"].iloc[0], color=ORANGE, linestyle="--", label="test, mean of training prices")
    axes.set(title="Error by backbone", xlabel="RMSE (US dollars)", yticks=rows, yticklabels=board["backbone"])
    axes.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@_styled
def priced_release(pixels: NDArray[np.uint8], title: str, predicted_price: float, retail_price: float | None) -> Figure:
    """A coming shoe with the price that the model expects for it.

    Args:
        pixels: uint8 [height, width, 3], RGB.
        title: The shoe's name.
        predicted_price: US dollars.
        retail_price: US dollars, None where it was not announced.
    """
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes: Axes = figure.subplots()
    axes.imshow(pixels)
    axes.set_axis_off()
    retail = "" if retail_price is None else f"   retail ${retail_price:,.0f}"
    axes.set_title(title, loc="center")
    figure.supxlabel(f"predicted ${predicted_price:,.0f}{retail}", fontsize=12)
    return figure


@_styled
def gan_losses(history: pd.DataFrame) -> Figure:
    """Losses of both networks over the epochs.

    Args:
        history: Columns ``epoch``, ``generator_loss`` and ``discriminator_loss`` (nats).
    """
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes: Axes = figure.subplots()
    axes.plot(history["epoch"], history["generator_loss"], color=BLUE, label="generator")
    axes.plot(history["epoch"], history["discriminator_loss"], color=GREY, label="discriminator")
    axes.set(title="Losses", xlabel="Epoch", ylabel="Loss (nats)", ylim=(0, None))
    axes.legend()
    return figure


@_styled
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
    axes.set(title="Regularisation path", xlabel="Penalty", ylabel="RMSE (US dollars)", xscale="log", ylim=(0, None))
    axes.legend()
    return figure


@_styled
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
    residual_axes.set(title="Residuals", xlabel=_dollars("Predicted price"), ylabel=_dollars("Actual less predicted"))
    tenth = predicted.rank(method="first", pct=True).mul(10).apply(np.ceil)
    means = predictions[["predicted", "price"]].groupby(tenth).mean()
    calibration_axes.plot(means["predicted"], means["price"], color=BLUE, marker="o", label="tenths")
    limits = [float(means.to_numpy().min()), float(means.to_numpy().max())]
    calibration_axes.plot(limits, limits, color=ORANGE, linestyle="--", label="perfect")
    calibration_axes.set(title="Calibration", xlabel=_dollars("Mean prediction"), ylabel=_dollars("Mean price"))
    calibration_axes.legend()
    return figure
