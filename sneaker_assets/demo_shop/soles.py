"""Drawing of soles: midsole, moulding, outsole and tread."""

import numpy as np

from sneaker_assets.demo_shop.design import Rgb, ShoeDesign
from sneaker_assets.demo_shop.outlines import Form, Points, along, curve, ribbon
from sneaker_assets.demo_shop.paint import Canvas, Swatch

GROUND = (120.0, 950.0)
"""Range of x in which the tread touches the ground."""


def tinted(colour: Rgb, factor: float) -> Rgb:
    """A darker or lighter shade of a colour.

    Args:
        colour: RGB, 0 to 255.
        factor: Factor of each channel, below 1 for a darker shade.
    """
    r, g, b = (min(round(c * factor), 255) for c in colour)
    return r, g, b


def draw_sole(design: ShoeDesign, form: Form, canvas: Canvas) -> None:
    """Draw the sole of a shoe.

    Args:
        design: The shoe.
        form: The proportions of the shoe.
        canvas: The canvas to draw on.
    """
    last = form.last
    canvas.fill(form.part(last.outsole), Swatch(design.outsole, 0.50, 0.10, "rubber", "sole"))
    _tread(design, form, canvas)
    midsole = form.part(last.midsole)
    canvas.fill(midsole, Swatch(design.sole, 0.75, 0.12, "rubber", "sole"))
    with canvas.inside(midsole):
        _mould(design, form, canvas)


def _level(x: Points, y: float, form: Form) -> Points:
    """Points of a horizontal line at level ``y`` of the sole, in the proportions of the form."""
    return form.bend(np.stack([x, np.full_like(x, y)], axis=1))


def _box(left: float, bottom: float, right: float, top: float, form: Form) -> Points:
    """Outline of a box with round ends, in the proportions of the form."""
    radius = (top - bottom) / 1000 * 40
    outline = curve(
        f"{left + radius},{top} | {right - radius},{top} {right},{(top + bottom) / 2} {right - radius},{bottom}"
        f" | {left + radius},{bottom} {left},{(top + bottom) / 2} {left + radius},{top}"
    )
    return form.bend(outline)


def _tread(design: ShoeDesign, form: Form, canvas: Canvas) -> None:
    """Cut out the gaps between the lugs, or draw the layers of a loafer's heel."""
    n, depth = form.last.lugs
    if not n:
        lift = Swatch(tinted(design.outsole, 0.7), 0.3, 0.0, "smooth", "sole")
        for y in (-560.0, -780.0):
            canvas.fill(ribbon(_level(np.linspace(728, 986, 6), y, form), 4.0), lift)
        return
    gap = (GROUND[1] - GROUND[0]) / n
    for x in np.linspace(*GROUND, n):
        wide, narrow, top = gap * 0.15, gap * 0.07, depth - 1000
        cut = np.array([[x - wide, -1100], [x - narrow, top], [x + narrow, top], [x + wide, -1100]])
        canvas.fill(form.bend(cut), None)


def _mould(design: ShoeDesign, form: Form, canvas: Canvas) -> None:
    """Draw the details on the side of the midsole."""
    groove = Swatch(tinted(design.sole, 0.80), 0.35, 0.05, "smooth", "sole")
    stripe = Swatch(design.accent, 0.75, 0.12, "rubber", "sole")
    if design.silhouette in ("boot", "loafer"):
        welt = along(_level(np.linspace(0, 980, 40), -90, form), np.linspace(0, 1, 110))
        canvas.dash(welt, Swatch(tinted(design.sole, 0.62), 0.5, 0.0, "smooth", "sole"))
    elif design.tooling == "layered":
        x = np.linspace(-20, 1040, 30)
        y = -380 - 160 * np.sin(x / 1000 * np.pi)
        canvas.fill(ribbon(form.bend(np.stack([x, y], axis=1)), 12.0), stripe)
    elif design.tooling == "grooved":
        for x in np.linspace(60, 940, 23):
            rib = np.array([[x, -240], [x + 8, -640]])
            canvas.fill(ribbon(form.bend(rib), 6.0), groove)
    elif design.tooling == "window" and form.last.window:
        left, bottom, right, top = form.last.window
        canvas.fill(_box(left - 14, bottom - 70, right + 14, top + 70, form), groove)
        canvas.fill(_box(left, bottom, right, top, form), Swatch(tinted(design.accent, 1.15), 0.3, 0.9, layer="sole"))
        for x in np.linspace(left, right, 6)[1:-1]:
            pillar = np.array([[x - 5, bottom], [x, (top + bottom) / 2], [x + 5, top]])
            canvas.fill(ribbon(form.bend(pillar), 8.0), groove)
    elif design.tooling == "window":
        for level in (-240.0, -420.0):
            canvas.fill(ribbon(_level(np.linspace(-20, 1020, 30), level, form), 4.0), groove)
