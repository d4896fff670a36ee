"""Figures of priced shoes, with attributions and similar shoes, and of the back-test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sneaker_assets.figures.style import BLUE, GREY, HEAT, ORANGE, dollars, label_log_prices, styled

Picture = NDArray[np.uint8]
Heat = NDArray[np.float32]


@dataclass(frozen=True)
class ShoePanel:
    """Content of one shoe's panel in :func:`priced_shoes`.

    Attributes:
        pixels: RGB, uint8 [height, width, 3].
        heat: Contribution of each pixel to the predicted price, US dollars, float32 [height, width].
        title: Title of the panel.
        lines: Lines of text beside the images.
        similar: Image and caption of each similar shoe.
    """

    pixels: Picture
    heat: Heat
    title: str
    lines: Sequence[str]
    similar: Sequence[tuple[Picture, str]] = ()


@styled
def priced_shoes(shoes: Sequence[ShoePanel]) -> Figure:
    """One panel per shoe: its image, the attribution map, the predicted price and the most similar known shoes.

    Args:
        shoes: The panels, top to bottom.
    """
    crops = [_occupied_rows(shoe.pixels) for shoe in shoes]
    image_heights = [
        max(1.1, 3.2 * (crop.stop - crop.start) / shoe.pixels.shape[1]) for shoe, crop in zip(shoes, crops, strict=True)
    ]
    heights = [height + (2.2 if shoe.similar else 0.8) for shoe, height in zip(shoes, image_heights, strict=True)]
    figure = Figure(figsize=(10, sum(heights)), layout="constrained")
    blocks = figure.subfigures(len(shoes), 1, squeeze=False, height_ratios=heights)[:, 0]
    for block, shoe, crop, image_height in zip(blocks, shoes, crops, image_heights, strict=True):
        block.suptitle(shoe.title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        above, below = (
            block.subfigures(2, 1, height_ratios=(image_height + 0.4, 1.5)) if shoe.similar else (block, None)
        )
        picture, heat, text = above.subplots(1, 3)
        picture.imshow(shoe.pixels[crop])
        draw_heat(heat, shoe.pixels[crop], shoe.heat[crop])
        heat.set_title("orange raises the price, blue lowers it", loc="center", fontsize=8, fontweight="normal")
        text.text(0, 0.95, "\n".join(shoe.lines), va="top", linespacing=1.5, fontsize=10, transform=text.transAxes)
        if below:
            below.suptitle("Most similar known shoes and their prices", x=0.01, ha="left", fontsize=9)
        thumbnails = below.subplots(1, len(shoe.similar), squeeze=False)[0] if below else []
        for axes, (pixels, caption) in zip(thumbnails, shoe.similar, strict=True):
            axes.imshow(pixels)
            axes.set_title(caption, loc="center", fontsize=7, fontweight="normal")
        for axes in (picture, heat, text, *thumbnails):
            axes.set_axis_off()
    return figure


def _occupied_rows(pixels: Picture) -> slice:
    """Rows that are not white, with a margin: a wide shoe leaves half of a square frame empty."""
    occupied = np.flatnonzero((pixels < 250).any(axis=(1, 2)))
    if not len(occupied):
        return slice(0, len(pixels))
    margin = len(pixels) // 16
    return slice(max(0, int(occupied[0]) - margin), min(len(pixels), int(occupied[-1]) + 1 + margin))


def draw_heat(axes: Axes, pixels: Picture, heat: Heat) -> None:
    """Overlay an attribution map on the image in grey: orange for positive contributions, blue for negative ones.

    Args:
        axes: Where to draw; its frame and ticks are switched off.
        pixels: RGB, uint8 [height, width, 3].
        heat: Contribution of each pixel, float32 [height, width]; the colours span plus and minus its maximum.
    """
    grey = pixels.mean(axis=2)
    limit = float(np.abs(heat).max()) or 1.0
    axes.imshow(255 - (255 - grey) * 0.6, cmap="gray", vmin=0, vmax=255)
    axes.imshow(heat, cmap=HEAT, vmin=-limit, vmax=limit, alpha=np.abs(heat) / limit * 0.8)
    axes.set_axis_off()


@styled
def backtest(paired: pd.DataFrame, scores: pd.DataFrame, title: str) -> Figure:
    """Predicted against later observed prices, and the median error by horizon, site and price.

    Args:
        paired: ``tables.Backtest``.
        scores: As returned by ``market.backtest.score_backtest``.
        title: Title of the scatter plot.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    points, bars = figure.subplots(1, 2)
    for covered, colour, label in ((True, BLUE, "inside 90 % interval"), (False, ORANGE, "outside 90 % interval")):
        rows = paired[paired["covered"] == covered]
        points.scatter(rows["predicted_price"], rows["price"], s=12, alpha=0.6, color=colour, linewidths=0, label=label)
    if len(paired):
        values = paired[["predicted_price", "price"]]
        limits = [float(values.min().min()) / 1.1, float(values.max().max()) * 1.1]
        points.plot(limits, limits, color=GREY, linestyle="--", label="perfect prediction")
        points.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
        label_log_prices(points.xaxis)
        label_log_prices(points.yaxis)
    points.set(title=title, xlabel=dollars("Predicted price"), ylabel=dollars("Observed price"))
    points.legend(loc="upper left", fontsize=8)
    names = [
        f"{row.group}: {row.member} (n = {row.n:,})" if row.group != "all" else f"all (n = {row.n:,})"
        for row in scores.itertuples()
    ]
    bars.barh(names, scores["median_ape"], color=GREY)
    bars.set(title="Median absolute percentage error", xlabel="Median APE (%)")
    bars.invert_yaxis()
    return figure
