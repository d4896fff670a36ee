"""Geometry: curves of the parts of a last, their deformation to the proportions of a design, and lines with a width."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sneaker_assets.demo_shop.design import ShoeDesign
from sneaker_assets.demo_shop.lasts import LASTS

Points = NDArray[np.float64]
"""Points of a curve or a polygon, shape (n, 2), in thousandths of the shoe's length."""

SAMPLES = 10


def _smooth(run: Points) -> Points:
    """Centripetal Catmull-Rom spline through the points, which neither loops nor overshoots."""
    if len(run) < 3:
        return run
    padded = np.vstack([2 * run[0] - run[1], run, 2 * run[-1] - run[-2]])
    step = np.diff(padded, axis=0)
    pace = np.sqrt(np.hypot(step[:, 0], step[:, 1]))[:, None]
    slope = step / pace
    tangent = slope[:-1] - (padded[2:] - padded[:-2]) / (pace[:-1] + pace[1:]) + slope[1:]
    start, end = tangent[:-1] * pace[1:-1], tangent[1:] * pace[1:-1]
    t = np.linspace(0, 1, SAMPLES, endpoint=False)[None, :, None]
    spans = (
        (2 * t**3 - 3 * t**2 + 1) * run[:-1, None]
        + (t**3 - 2 * t**2 + t) * start[:, None]
        + (3 * t**2 - 2 * t**3) * run[1:, None]
        + (t**3 - t**2) * end[:, None]
    )
    return np.vstack([spans.reshape(-1, 2), run[-1:]])


@lru_cache(maxsize=256)
def curve(text: str) -> Points:
    """Points of a part given as text (see ``lasts``); read-only."""
    runs = [np.array([[float(v) for v in pair.split(",")] for pair in run.split()]) for run in text.split("|")]
    points = np.vstack([_smooth(run) for run in runs])
    points.setflags(write=False)
    return points


class Form:
    """Last of a design's silhouette, deformed according to its sole height, collar height and bulk."""

    def __init__(self, design: ShoeDesign) -> None:
        self.last = LASTS[design.silhouette]
        thin, thick = self.last.sole
        self._sole = thin + (thick - thin) * design.sole_height
        self._bulk = 0.86 + 0.20 * design.bulk
        self._stretch = -0.12 + 0.30 * design.collar_height

    def bend(self, points: Points) -> Points:
        """Transform points of the last, shape (n, 2), to the proportions of the design; y starts at the ground."""
        x, y = points[:, 0], points[:, 1]
        above = y * self._bulk + np.maximum(y - self.last.ankle, 0) * self._stretch
        height = np.where(y >= 0, above, y / 1000 * self._sole)
        spring = self.last.spring * np.maximum((320 - x) / 320, 0) ** 2
        return np.stack([x, height + self._sole + spring], axis=1)

    def part(self, text: str) -> Points:
        """Transformed points of a part given as text."""
        return self.bend(curve(text))


def normals(points: Points) -> Points:
    """Unit normals to the left of a curve at its points, shape (n, 2)."""
    ends = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    tangent = ends[2:] - ends[:-2]
    left = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    return np.asarray(left / np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)[:, None])


def ribbon(points: Points, width: float | Points) -> Points:
    """Polygon of a line with a width.

    Args:
        points: The centre line, shape (n, 2).
        width: Constant width, or one width per point, shape (n, 1).

    Returns:
        Shape (2n, 2): the left side, then the right side in reverse.
    """
    offset = normals(points) * width / 2
    return np.vstack([points + offset, (points - offset)[::-1]])


def along(points: Points, fractions: Points) -> Points:
    """Points at fractions of a curve's length.

    Args:
        points: The curve, shape (m, 2).
        fractions: Fractions from 0 to 1, shape (n,).

    Returns:
        Linearly interpolated points, shape (n, 2).
    """
    steps = np.hypot(*np.diff(points, axis=0).T)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    at = fractions * length[-1]
    return np.stack([np.interp(at, length, points[:, 0]), np.interp(at, length, points[:, 1])], axis=1)


def inset(outline: Points, distance: float) -> Points:
    """A closed outline moved inwards.

    Args:
        outline: The outline in either orientation, shape (n, 2).
        distance: Distance in shoe coordinates.

    Returns:
        Shape (n, 2).
    """
    x, y = outline[:, 0], outline[:, 1]
    counterclockwise = float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) > 0
    return outline + normals(outline) * (distance if counterclockwise else -distance)
