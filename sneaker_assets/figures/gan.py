"""How a generator learned."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sneaker_assets.figures.style import BLUE, GREY, styled


@styled
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
