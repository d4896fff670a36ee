"""The house style, and a figure as a file. Figures are made without pyplot, so any number of threads can draw."""

import io
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#718096"
HEAT = LinearSegmentedColormap.from_list("heat", [BLUE, "white", ORANGE])

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
    """Draw in the house style, whatever the process's own settings are."""

    @wraps(draw)
    def in_style(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> Figure:
        with mpl.rc_context(rc=_STYLE):
            return draw(*args, **kwargs)

    return in_style


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def thumbnail(png: bytes, max_bytes: int = 20_000) -> bytes:
    """A palette PNG of at most ``max_bytes``, as wide as that allows and never wider than 640 pixels."""
    with Image.open(io.BytesIO(png)) as opened:
        image = opened.convert("RGB")
    width = 640
    while len(small := _palette_png(image, width)) > max_bytes and width > 80:
        width = max(80, int(0.95 * width * (max_bytes / len(small)) ** 0.5))
    return small


def _palette_png(image: Image.Image, width: int) -> bytes:
    small = image.copy()
    small.thumbnail((width, 10 * width), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.quantize(32).save(file, format="png", optimize=True)
    return file.getvalue()


def dollars(axis_label: str = "Price") -> str:
    """The label of an axis of prices."""
    return f"{axis_label} (US dollars)"
