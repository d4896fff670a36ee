"""Shoes and their prices: what they are expected to sell for, what the model looked at, and what they resemble."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sneaker_assets.figures.style import BLUE, GREY, HEAT, ORANGE, dollars, styled

Picture = NDArray[np.uint8]
Heat = NDArray[np.float32]


@dataclass(frozen=True)
class ShoeOnPaper:
    """What is drawn of one priced shoe.

    Attributes:
        pixels: uint8 [height, width, 3], RGB.
        heat: float32 [height, width], what each part adds to the price, US dollars.
        title: its name.
        lines: what is said of it, one line each.
        similar: the picture and the words of each similar shoe.
    """

    pixels: Picture
    heat: Heat
    title: str
    lines: Sequence[str]
    similar: Sequence[tuple[Picture, str]] = ()


@styled
def priced_shoes(shoes: Sequence[ShoeOnPaper]) -> Figure:
    """Each shoe with its price, what the model looked at, and below it the shoes that it resembles most."""
    rows = [_rows_in_use(shoe.pixels) for shoe in shoes]
    pictures = [
        max(1.1, 3.2 * (used.stop - used.start) / shoe.pixels.shape[1]) for shoe, used in zip(shoes, rows, strict=True)
    ]
    heights = [picture + (2.2 if shoe.similar else 0.8) for shoe, picture in zip(shoes, pictures, strict=True)]
    figure = Figure(figsize=(10, sum(heights)), layout="constrained")
    blocks = figure.subfigures(len(shoes), 1, squeeze=False, height_ratios=heights)[:, 0]
    for block, shoe, used, picture_height in zip(blocks, shoes, rows, pictures, strict=True):
        block.suptitle(shoe.title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        above, below = (
            block.subfigures(2, 1, height_ratios=(picture_height + 0.4, 1.5)) if shoe.similar else (block, None)
        )
        picture, heat, words = above.subplots(1, 3)
        picture.imshow(shoe.pixels[used])
        draw_heat(heat, shoe.pixels[used], shoe.heat[used])
        heat.set_title("orange raises the price, blue lowers it", loc="center", fontsize=8, fontweight="normal")
        words.text(0, 0.95, "\n".join(shoe.lines), va="top", linespacing=1.5, fontsize=10, transform=words.transAxes)
        if below:
            below.suptitle("The known shoes that look most alike, and their prices", x=0.01, ha="left", fontsize=9)
        alike = below.subplots(1, len(shoe.similar), squeeze=False)[0] if below else []
        for axes, (pixels, caption) in zip(alike, shoe.similar, strict=True):
            axes.imshow(pixels)
            axes.set_title(caption, loc="center", fontsize=7, fontweight="normal")
        for axes in (picture, heat, words, *alike):
            axes.set_axis_off()
    return figure


def _rows_in_use(pixels: Picture) -> slice:
    """The rows that show something, and a little white around them: a wide shoe leaves half of a square frame empty."""
    inked = np.flatnonzero((pixels < 250).any(axis=(1, 2)))
    if not len(inked):
        return slice(0, len(pixels))
    margin = len(pixels) // 16
    return slice(max(0, int(inked[0]) - margin), min(len(pixels), int(inked[-1]) + 1 + margin))


def draw_heat(axes: Axes, pixels: Picture, heat: Heat) -> None:
    """The picture in grey under what each part of it adds to the price: orange above nothing, blue below."""
    grey = pixels.mean(axis=2)
    most = float(np.abs(heat).max()) or 1.0
    axes.imshow(255 - (255 - grey) * 0.6, cmap="gray", vmin=0, vmax=255)
    axes.imshow(heat, cmap=HEAT, vmin=-most, vmax=most, alpha=np.abs(heat) / most * 0.8)
    axes.set_axis_off()


@styled
def backtest(paired: pd.DataFrame, scores: pd.DataFrame, title: str) -> Figure:
    """Predictions against what was seen later, and how far off they were by horizon, site and price.

    Args:
        paired: ``tables.Backtest``.
        scores: What ``market.backtest.score_backtest`` gives.
        title: What was scored.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    points, bars = figure.subplots(1, 2)
    for inside, colour, label in ((True, BLUE, "inside its 90 % interval"), (False, ORANGE, "outside")):
        rows = paired[paired["covered"] == inside]
        points.scatter(rows["predicted_price"], rows["price"], s=12, alpha=0.6, color=colour, linewidths=0, label=label)
    if len(paired):
        values = paired[["predicted_price", "price"]]
        limits = [float(values.min().min()) / 1.1, float(values.max().max()) * 1.1]
        points.plot(limits, limits, color=GREY, linestyle="--", label="perfect")
        points.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
    points.set(title=title, xlabel=dollars("Predicted price"), ylabel=dollars("Price seen later"))
    points.legend(loc="upper left", fontsize=8)
    names = [f"{row.group}: {row.member} ({row.n})" if row.group != "all" else f"all ({row.n})"
             for row in scores.itertuples()]  # fmt: skip
    bars.barh(names, scores["median_ape"], color=GREY)
    bars.set(title="Typical error", xlabel="Median absolute error (% of the price)")
    bars.invert_yaxis()
    return figure
