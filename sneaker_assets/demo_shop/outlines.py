"""Geometry: from the text of a part to a curve, from a last to the proportions of one design, and lines with a width.

The parts themselves are ``lasts``'s concern, their colours ``shoes``'s.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sneaker_assets.demo_shop.design import ShoeDesign
from sneaker_assets.demo_shop.lasts import LASTS

Points = NDArray[np.float64]
"""Points of a curve or a polygon, shape (n, 2), in thousandths of the shoe's length."""

SAMPLES = 10


def _smooth(run: Points) -> Points:
    """A curve through the points of ``run``: a centripetal Catmull-Rom spline, which neither loops nor overshoots."""
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
    """The points of a part as it is written in a last; read-only."""
    runs = [np.array([[float(v) for v in pair.split(",")] for pair in run.split()]) for run in text.split("|")]
    points = np.vstack([_smooth(run) for run in runs])
    points.setflags(write=False)
    return points


class Form:
    """The last of a design's silhouette, bent to its sole height, collar height and bulk."""

    def __init__(self, design: ShoeDesign) -> None:
        self.last = LASTS[design.silhouette]
        thin, thick = self.last.sole
        self._sole = thin + (thick - thin) * design.sole_height
        self._bulk = 0.86 + 0.20 * design.bulk
        self._stretch = -0.12 + 0.30 * design.collar_height

    def bend(self, points: Points) -> Points:
        """Points of the last in this design's proportions, y upwards from the ground."""
        x, y = points[:, 0], points[:, 1]
        above = y * self._bulk + np.maximum(y - self.last.ankle, 0) * self._stretch
        height = np.where(y >= 0, above, y / 1000 * self._sole)
        spring = self.last.spring * np.maximum((320 - x) / 320, 0) ** 2
        return np.stack([x, height + self._sole + spring], axis=1)

    def part(self, text: str) -> Points:
        """The bent points of a part as it is written in the last."""
        return self.bend(curve(text))


def normals(points: Points) -> Points:
    """Unit vectors to the left of the way along ``points``, shape (n, 2)."""
    ends = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    way = ends[2:] - ends[:-2]
    left = np.stack([-way[:, 1], way[:, 0]], axis=1)
    return np.asarray(left / np.maximum(np.hypot(way[:, 0], way[:, 1]), 1e-9)[:, None])


def ribbon(points: Points, width: float | Points) -> Points:
    """The polygon of a line along ``points`` of one ``width``, or of a width per point (shape (n, 1))."""
    aside = normals(points) * width / 2
    return np.vstack([points + aside, (points - aside)[::-1]])


def along(points: Points, fractions: Points) -> Points:
    """The points at the given fractions (0 to 1, shape (n,)) of a curve's length."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    at = fractions * length[-1]
    return np.stack([np.interp(at, length, points[:, 0]), np.interp(at, length, points[:, 1])], axis=1)


def inset(outline: Points, distance: float) -> Points:
    """A closed outline moved ``distance`` towards its inside."""
    x, y = outline[:, 0], outline[:, 1]
    turns_left = float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) > 0
    return outline + normals(outline) * (distance if turns_left else -distance)
