"""Figures of GAN training and of generated samples."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sneaker_assets.figures.style import BLUE, GREY, ORANGE, styled

Images = NDArray[np.uint8]


@styled
def gan_losses(history: pd.DataFrame) -> Figure:
    """Generator and discriminator loss by epoch.

    Args:
        history: Columns ``epoch``, ``generator_loss`` and ``discriminator_loss`` (nats).
    """
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes: Axes = figure.subplots()
    axes.plot(history["epoch"], history["generator_loss"], color=BLUE, label="generator")
    axes.plot(history["epoch"], history["discriminator_loss"], color=GREY, label="discriminator")
    axes.set(title="Training losses", xlabel="Epoch", ylabel="Loss (nats)", ylim=(0, None))
    axes.legend()
    return figure


@styled
def kid_over_epochs(history: pd.DataFrame, real: float | None, weights: str) -> Figure:
    """KID between samples and training images by epoch, with its standard deviation and the best epoch.

    Args:
        history: Columns ``epoch``, ``kid`` and ``kid_deviation``, one row per checkpoint.
        real: KID of held-out real images, None or NaN if there are none.
        weights: Description of the feature extractor's weights; the part before a colon is shown.
    """
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes: Axes = figure.subplots()
    epochs, kid, deviation = (history[column].astype(float) for column in ("epoch", "kid", "kid_deviation"))
    axes.plot(epochs, kid, color=BLUE, marker=".", label="samples")
    axes.fill_between(epochs, kid - deviation, kid + deviation, color=BLUE, alpha=0.2, linewidth=0)
    best = float(epochs.iloc[int(kid.to_numpy().argmin())])
    axes.plot(best, kid.min(), "o", color=ORANGE, label=f"best: epoch {best:.0f}")
    known = real if real is not None and np.isfinite(real) else None
    if known is not None:
        axes.axhline(known, color=GREY, linestyle="--", label=f"held-out real images: {known:.2g}")
    axes.set(title="Kernel Inception Distance to the training images", xlabel="Epoch", ylabel="KID (lower is better)")
    # Below zero, since estimates of real images scatter around it and their line would lie on the axis.
    axes.set_ylim(bottom=-0.05 * float((kid + deviation).max()) + min(0.0, known or 0.0))
    axes.legend(title=f"weights: {weights}")
    return figure


@styled
def samples_and_nearest(samples: Images, nearest: Images, title: str) -> Figure:
    """Each sample above its nearest training images.

    Args:
        samples: RGB [n, size, size, 3]; the first ``shown`` are drawn.
        nearest: RGB [shown, count, size, size, 3], nearest first.
        title: Title of the figure.
    """
    shown, count, size = nearest.shape[:3]
    rows = np.concatenate([samples[:shown, None], nearest], axis=1).swapaxes(0, 1)
    figure = Figure(figsize=(1.1 * shown + 1.2, 1.1 * (count + 1) + 0.4), layout="constrained")
    axes: Axes = figure.subplots()
    _show(axes, _tile(rows.reshape(-1, size, size, 3), shown))
    names = ["sample", "nearest", "2nd", "3rd", *(f"{rank}th" for rank in range(4, count + 1))]
    axes.set_yticks([(row + 0.5) * size for row in range(count + 1)], names[: count + 1])
    axes.tick_params(length=0)
    axes.set_title(title)
    return figure


@styled
def compare_bands(colours: pd.DataFrame, grids: Mapping[str, Images]) -> Figure:
    """Samples of each price band above the mean brightness and saturation of its real and generated shoes.

    Args:
        colours: ``tables.GanColourComparison``.
        grids: Band to samples, RGB [n, size, size, 3].
    """
    figure = Figure(figsize=(max(8.0, 3.9 * len(grids)), 6.4), layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False).flat
    for axes, (band, images) in zip(above.subplots(1, len(grids), squeeze=False).flat, grids.items(), strict=True):
        _show(axes, _tile(images, columns=6))
        axes.set_title(f"Samples: {band}")
    brightness, saturation = below.subplots(1, 2)
    _draw_bars(brightness, colours, "brightness", list(grids))
    _draw_bars(saturation, colours, "saturation", list(grids))
    return figure


@styled
def samples_by_condition(table: pd.DataFrame, examples: Mapping[tuple[str, str], Images]) -> Figure:
    """Samples of a conditional generator: a row for each colour, a column of images for each price band.

    Args:
        table: ``tables.ConditionalGanEvaluation``.
        examples: Band and colour to samples, RGB [n, size, size, 3].
    """
    bands, colours = list(table["band"].unique()), list(table["colour"].unique())
    matching = table.set_index(["band", "colour"])["matching"]
    figure = Figure(figsize=(4.6 * len(bands), 0.75 * len(colours) + 1.0), layout="constrained")
    grid = figure.subplots(len(colours), len(bands), squeeze=False)
    for row, colour in zip(grid, colours, strict=True):
        for axes, band in zip(row, bands, strict=True):
            images = examples.get((band, colour))
            if images is None:
                axes.set_axis_off()
                continue
            _show(axes, _tile(images, columns=len(images)))
            axes.set_ylabel(f"{colour}\n{matching[band, colour]:.0%}", rotation=0, ha="right", va="center")
    for axes, band in zip(grid[0], bands, strict=True):
        axes.set_title(band)
    figure.suptitle("Samples from the same noise by colour, and the share of them that has it")
    return figure


@styled
def bands_on_the_same_noise(saturation: pd.DataFrame, examples: Mapping[str, Images]) -> Figure:
    """Samples of each price band from the same noise above the distribution of their saturation.

    Args:
        saturation: One row per noise vector and one column per band, 0 to 1.
        examples: Band to samples, RGB [n, size, size, 3].
    """
    figure = Figure(figsize=(8, 1.0 * len(examples) + 3), layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[len(examples), 2.6]).flat
    for axes, (band, images) in zip(
        above.subplots(len(examples), 1, squeeze=False).flat, examples.items(), strict=True
    ):
        _show(axes, _tile(images, columns=len(images)))
        axes.set_ylabel(band, rotation=0, ha="right", va="center")
    above.suptitle("Samples from the same noise")
    axes = below.subplots()
    known = saturation.dropna()
    axes.boxplot([known[band] for band in known], orientation="horizontal", showfliers=False)
    axes.set_yticks(range(1, len(known.columns) + 1), list(known.columns))
    axes.invert_yaxis()
    title = "Saturation of the samples"
    if len(known.columns) == 2 and len(known) > 1:
        first, second = known.columns
        difference = known[first] - known[second]
        error = 1.96 * float(difference.sem())  # type: ignore[arg-type]
        title += f": {first} minus {second} {difference.mean():+.3f} ± {error:.3f} (95 %)"
    axes.set(title=title, xlabel="Mean chroma (0 to 1)")
    return figure


def _draw_bars(axes: Axes, colours: pd.DataFrame, measure: str, bands: list[str]) -> None:
    """Draw two bars per band, filled with the mean colour of its shoes, with 95 % confidence intervals."""
    rows = colours.set_index(["band", "population"])
    for offset, population, label, hatch in ((-0.2, "training", "real", ""), (0.2, "generated", "generated", "//")):
        of_bands = rows.loc[[(band, population) for band in bands]]
        axes.bar(
            np.arange(len(bands)) + offset,
            of_bands[measure],
            width=0.36,
            yerr=1.96 * of_bands[f"{measure}_error"].fillna(0),
            color=(of_bands[["red", "green", "blue"]].fillna(255) / 255).to_numpy(),
            edgecolor="black",
            hatch=hatch,
            label=label,
        )
    axes.set_xticks(range(len(bands)), bands)
    axes.set(title=f"{measure.capitalize()} with 95 % intervals", xlabel="Price band", ylabel="Mean (0 to 1)")
    axes.margins(y=0.25)
    axes.legend(ncols=2, loc="upper left")


def _tile(images: Images, columns: int) -> Images:
    """Tile images [n, size, size, 3] row by row into one [rows * size, columns * size, 3]; drop an incomplete row."""
    rows, size = len(images) // columns, images.shape[1]
    kept = images[: rows * columns].reshape(rows, columns, size, size, 3)
    return kept.transpose(0, 2, 1, 3, 4).reshape(rows * size, columns * size, 3)


def _show(axes: Axes, image: Images) -> None:
    height, width, _ = image.shape
    axes.imshow(image, interpolation="lanczos", extent=(0, width, height, 0))
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
