"""Common style of all figures, and their export as PNG.

Figures are built without pyplot, which keeps global state, so they can be drawn from any number of threads.
"""

import io
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from PIL import Image

BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#718096"
HEAT = LinearSegmentedColormap.from_list("heat", [BLUE, "white", ORANGE])
"""Diverging colour map for attributions: blue below zero, orange above."""

THOUSANDS = "{x:,.0f}"
"""Format of tick labels with thousands separators."""

THUMBNAIL_WIDTH, MIN_THUMBNAIL_WIDTH = 640, 80

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


def styled(draw: Callable[_Parameters, Figure]) -> Callable[_Parameters, Figure]:
    """Decorator: draw in the common style, independent of the process's rcParams."""

    @wraps(draw)
    def draw_in_style(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> Figure:
        with mpl.rc_context(rc=_STYLE):
            return draw(*args, **kwargs)

    return draw_in_style


def to_png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def thumbnail(png: bytes, max_bytes: int = 20_000) -> bytes:
    """Palette PNG of at most ``max_bytes``, as wide as that allows, up to 640 pixels.

    Args:
        png: The bytes of a PNG file.
        max_bytes: Size limit; exceeded only if 80 pixels wide is still too large.
    """
    with Image.open(io.BytesIO(png)) as opened:
        image = opened.convert("RGB")
    width = THUMBNAIL_WIDTH
    while len(small := _palette_png(image, width)) > max_bytes and width > MIN_THUMBNAIL_WIDTH:
        width = max(MIN_THUMBNAIL_WIDTH, int(0.95 * width * (max_bytes / len(small)) ** 0.5))
    return small


def _palette_png(image: Image.Image, width: int) -> bytes:
    small = image.copy()
    small.thumbnail((width, 10 * width), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.quantize(32).save(file, format="png", optimize=True)
    return file.getvalue()


def dollars(quantity: str = "Price") -> str:
    """Label of an axis in US dollars."""
    return f"{quantity} (US dollars)"


def label_log_prices(axis: Axis) -> None:
    """Label a logarithmic axis of prices at 1, 2 and 5 times the powers of ten, so that a short one has labels too."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(THOUSANDS)
    axis.set_minor_formatter("")
