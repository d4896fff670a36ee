"""A release and its price."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sneaker_assets.figures.style import styled


@styled
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
