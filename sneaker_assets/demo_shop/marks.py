"""Logos on the side of a shoe, as polygons in the coordinates of its last."""

import numpy as np

from sneaker_assets.demo_shop.design import ShoeDesign
from sneaker_assets.demo_shop.lasts import Last
from sneaker_assets.demo_shop.outlines import Points, curve, ribbon


def mark_polygons(design: ShoeDesign, last: Last) -> list[Points]:
    """Polygons of a design's mark, in drawing order.

    Args:
        design: The shoe.
        last: The last, whose coordinates the polygons are in.

    Returns:
        float64 [n, 2] each; empty for a design without a mark.
    """
    match design.mark:
        case "stripes":
            return [_placed(last, bar) for bar in _bars(design.n_stripes, lean=0.36, width=0.19)]
        case "chevrons":
            return [_placed(last, bar) for bar in _chevrons(design.n_stripes)]
        case "swoosh":
            return [_placed(last, _SWOOSH)]
        case "star":
            return [_placed(last, _STAR)]
        case "wave":
            return [_tapered(curve(last.swipe))]
        case "none":
            return []


def _placed(last: Last, shape: Points) -> Points:
    """A shape given in units of the mark's height and centred at the origin, moved to the position of the mark."""
    x, y, height = last.mark
    return np.array([x, y]) + shape * height


def _bars(n: int, lean: float, width: float) -> list[Points]:
    """Bars slanted to the right."""
    edges = np.array([[-lean, -0.75], [lean, 0.75], [lean + width, 0.75], [width - lean, -0.75]])
    return [edges + np.array([0.36 * (i - n / 2), 0]) for i in range(n)]


def _chevrons(n: int) -> list[Points]:
    """Arrowheads pointing to the toe."""
    arrow = np.array([[0.3, 0.62], [0.52, 0.62], [0.12, 0.0], [0.52, -0.62], [0.3, -0.62], [-0.1, 0.0]])
    return [arrow + np.array([0.38 * (i - n / 2), 0]) for i in range(n)]


def _tapered(line: Points) -> Points:
    """A line that is wide in the middle and pointed at both ends."""
    t = np.linspace(0, 1, len(line))[:, None]
    return ribbon(line, 6 + 96 * t * (1 - t))


def _star() -> Points:
    """A five-pointed star."""
    angle = np.pi / 2 + np.arange(10) * np.pi / 5
    radius = np.where(np.arange(10) % 2 == 0, 0.62, 0.25)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


_STAR = _star()
_SWOOSH = curve("-0.95,-0.60 -0.55,0.10 0.05,0.48 0.70,0.55 1.15,0.35 | 0.80,0.28 0.30,0.12 -0.25,-0.22 -0.95,-0.60")
