"""Every figure, one function each: from a table to a Figure, in one style. Where it is kept is the caller's concern.

Figures are made without pyplot, so any number of threads can draw.
"""

import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from upath import UPath

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
def image_sample(listings: pd.DataFrame, images: Sequence[UPath], columns: int = 5) -> Figure:
    """A sample of product images, each with its price and what that price means.

    Args:
        listings: ``tables.Listings`` with prices, the sample alone.
        images: The file of each of them.
        columns: Images in a row.
    """
    rows = max(1, -(-len(listings) // columns))
    figure = Figure(figsize=(2 * columns, 1.45 * rows + 0.4), layout="constrained")
    figure.suptitle(f"{len(listings)} random listings", x=0.01, ha="left", fontsize=11, fontweight="bold")
    for axes in figure.subplots(rows, columns, squeeze=False).ravel():
        axes.set_axis_off()
    for axes, path, shoe in zip(figure.axes, images, listings.itertuples(), strict=False):
        with path.open("rb") as file, Image.open(file) as image:
            image.draft("RGB", (200, 100))
            axes.imshow(image.convert("RGB"))
        axes.set_title(f"${shoe.price:,.0f}", loc="center", fontsize=9)
        axes.text(0.5, -0.02, _words(shoe.label_kind), transform=axes.transAxes, ha="center", va="top", fontsize=7)
    return figure


@_styled
def prices_by_first_seen(observations: pd.DataFrame) -> Figure:
    """One point a product and kind of price: its latest amount against the day on which the product was first seen.

    Args:
        observations: ``tables.Observations`` of one site.
    """
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes: Axes = figure.subplots()
    first_seen = observations.groupby("product_id")["observed_at"].transform("min")
    priced = observations.assign(first_seen=first_seen)[observations["amount"].notna() & observations["size"].isna()]
    latest = priced.sort_values("observed_at").drop_duplicates(["product_id", "label_kind"], keep="last")
    for kind, rows in latest.groupby("label_kind"):
        axes.scatter(rows["first_seen"], rows["amount"], s=10, alpha=0.5, linewidths=0, label=str(kind))
    currencies = ", ".join(sorted(latest["currency"].dropna().unique())) or "unknown currency"
    axes.set(
        title=f"{observations['product_id'].nunique():,} products by the day they were first seen",
        xlabel="First seen (UTC)",
        ylabel=f"Latest price ({currencies})",
    )
    if len(latest):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.autofmt_xdate()
    return figure


@_styled
def price_histograms(listings: pd.DataFrame, clean_listings: pd.DataFrame, fences: pd.DataFrame) -> Figure:
    """Raw prices on a linear and on a logarithmic axis with the fences drawn, and the clean ones.

    Args:
        listings: ``tables.Listings``.
        clean_listings: ``tables.CleanListings``.
        fences: ``tables.PriceFences``.
    """
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    linear, logarithmic, inside = figure.subplots(1, 3)
    raw, clean = listings["price"].dropna(), clean_listings["price"]
    raw = raw[np.isfinite(raw)]
    linear.hist(raw, bins=100, color=GREY)
    linear.set(title=f"Raw: {len(raw):,} prices up to ${raw.max():,.0f}", yscale="log", xlabel=_dollars())
    linear.set_ylabel("Listings, logarithmic")
    logarithmic.hist(raw, bins=np.geomspace(raw.min() / 1.01, raw.max() * 1.01, 50), color=GREY)
    logarithmic.set(
        title="Raw, on a logarithmic axis", xscale="log", xlabel=_dollars() + ", logarithmic", ylabel="Listings"
    )
    for axes in (linear, logarithmic):
        _draw_fences(axes, fences)
        axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    inside.hist(clean, bins=50, color=BLUE)
    inside.axvline(clean.median(), color=ORANGE, label=f"median ${clean.median():,.0f}")
    inside.set(title=f"Clean: {len(clean):,} prices", xlabel=_dollars(), ylabel="Listings")
    inside.legend()
    return figure


def _draw_fences(axes: Axes, fences: pd.DataFrame) -> None:
    """Each upper fence as a line, dashed differently for each scope."""
    for scope, upper, line in zip(fences["scope"], fences["upper"], itertools.cycle(("--", ":", "-."))):
        whose = "" if scope == "all" else f" of {scope}"
        axes.axvline(upper, color=ORANGE, linestyle=line, label=f"fence{whose} ${upper:,.0f}")
    axes.legend()


@_styled
def prices_by_label(listings: pd.DataFrame) -> Figure:
    """A box for each site and kind of label: quartiles, whiskers to 1.5 interquartile ranges, the rest as dots.

    Args:
        listings: ``tables.Listings``; those without a price are left out.
    """
    priced = listings[listings["price"].notna()]
    groups = {
        f"{site}\n{_words(kind)}": prices
        for (site, kind), prices in priced.groupby(["site", "label_kind"], observed=True)["price"]
    }
    return _boxes(groups, "Prices by site and kind of label")


@_styled
def prices_by_brand(listings: pd.DataFrame, most: int = 15) -> Figure:
    """A box for each of the brands with the most listings, the dearest first.

    Args:
        listings: ``tables.CleanListings``; the listings of no known brand are one group.
        most: Brands that are shown.
    """
    brands = listings["brand"].astype(object).fillna("brand not known")
    shown = brands.value_counts().head(most).index
    groups = {str(brand): prices for brand, prices in listings["price"].groupby(brands) if brand in shown}
    dearest_first = sorted(groups.items(), key=lambda item: -float(item[1].median()))
    return _boxes(dict(dearest_first), f"Clean prices by brand, {len(groups)} of {brands.nunique()} brands")


def _boxes(groups: Mapping[str, pd.Series], title: str) -> Figure:
    """One horizontal box a group on a logarithmic axis of prices."""
    figure = Figure(figsize=(8, 1.3 + 0.42 * max(1, len(groups))), layout="constrained")
    axes: Axes = figure.subplots()
    axes.boxplot(
        list(groups.values()),
        orientation="horizontal",
        tick_labels=[f"{name} ({len(prices):,})" for name, prices in groups.items()],
        widths=0.6,
        patch_artist=True,
        boxprops={"facecolor": "#bee3f8", "edgecolor": BLUE},
        medianprops={"color": ORANGE, "linewidth": 2},
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": GREY},
    )
    axes.set(title=title, xscale="log", xlabel=_dollars() + ", logarithmic")
    axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axes.invert_yaxis()
    return figure


def _words(kind: object) -> str:
    return str(kind).replace("_", " ")


@_styled
def leaks(report: pd.DataFrame) -> Figure:
    """How many rows of each held-out side show a picture that was trained on.

    Args:
        report: What ``market.leaks.leak_report`` gives.
    """
    figure = Figure(figsize=(8, 1.6 + 0.6 * max(1, len(report))), layout="constrained")
    axes: Axes = figure.subplots()
    left = np.zeros(len(report))
    parts = {"clean": ("picture not in train", BLUE), "by_bytes": ("same file in train", ORANGE)}
    for column, (label, colour) in {**parts, "by_picture": ("same picture in train", GREY)}.items():
        axes.barh(report["split"], report[column], left=left, color=colour, label=label)
        left += report[column].to_numpy()
    leaking = report["rows"] - report["clean"]
    for side, total, leak in zip(report["split"], report["rows"], leaking, strict=True):
        axes.annotate(f"{leak:,} of {total:,} leak", (total, side), (4, 0), textcoords="offset points", va="center")
    axes.set(title="Held-out rows whose picture was learned from", xlabel="Listings")
    axes.set_xlim(0, max(1.0, 1.3 * float(report["rows"].max() if len(report) else 1)))
    axes.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=3)
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
