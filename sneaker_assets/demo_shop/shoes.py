"""Drawing of a shoe from its design, as the side view of a product shot, with numpy and Pillow."""

import io

import numpy as np
from PIL import Image

from sneaker_assets.demo_shop.design import Material, Rgb, ShoeDesign
from sneaker_assets.demo_shop.marks import mark_polygons
from sneaker_assets.demo_shop.outlines import Form, Points, along, curve, inset, normals, ribbon
from sneaker_assets.demo_shop.paint import Canvas, Swatch, Texture
from sneaker_assets.demo_shop.soles import draw_sole, tinted

__all__ = ["ShoeDesign", "draw_shoe", "encode_jpeg"]

GOLD: Rgb = (214, 168, 62)
STEEL: Rgb = (156, 158, 163)
FINISHES: dict[Material, tuple[Texture, float]] = {
    "leather": ("grain", 0.35),
    "suede": ("suede", 0.0),
    "mesh": ("mesh", 0.05),
    "patent": ("smooth", 1.0),
    "canvas": ("canvas", 0.0),
}
"""Texture and gloss of each material."""


def draw_shoe(design: ShoeDesign, size: tuple[int, int] = (470, 214)) -> Image.Image:
    """Draw the side view of a shoe on white, with the toe to the left.

    Args:
        design: Design of the shoe.
        size: Width and height in pixels.

    Returns:
        RGB image, determined by design and size.
    """
    form = Form(design)
    canvas = _canvas(form, size)
    _Upper(design, form, canvas).draw()
    draw_sole(design, form, canvas)
    return canvas.render(design.grain)


def encode_jpeg(image: Image.Image) -> bytes:
    """Encode an image as JPEG with quality 90."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _canvas(form: Form, size: tuple[int, int]) -> Canvas:
    """Canvas on which the shoe is centred and fills the frame up to a margin."""
    tops = [form.part(part)[:, 1].max() for part in (form.last.upper, form.last.lining, form.last.tongue) if part]
    tallest = float(max(tops))
    width, height = size
    scale = min(0.92 * width / 1000, 0.86 * height / tallest)
    return Canvas(size, scale, ((width - 1000 * scale) / 2, (height + tallest * scale) / 2))


class _Upper:
    """Draws everything above the sole."""

    def __init__(self, design: ShoeDesign, form: Form, canvas: Canvas) -> None:
        self.design, self.form, self.canvas, self.last = design, form, canvas, form.last
        texture, gloss = FINISHES[design.material]
        woven = design.material in ("mesh", "canvas")
        self.body = Swatch(design.upper, 0.30, gloss, texture)
        self.panel = Swatch(design.panels, 0.55, 0.30 if woven else gloss, "grain" if woven else texture)
        self.badge = Swatch(design.accent, 0.80, 0.30 if woven else gloss, self.panel.texture)
        self.padding = Swatch(design.lining, 0.60, 0.05, "knit")
        self.metal = Swatch(GOLD if design.gold_trim else STEEL, 0.90, 1.0)

    def draw(self) -> None:
        self._fill(self.last.lining, Swatch(self.design.lining, 0.10, 0.0, "knit", "inside"))
        if self.last.tongue:
            self._tongue()
        with self.canvas.inside(self.form.part(self.last.upper)):
            self._shell()
        if self.last.throat:
            self._laces()

    def _fill(self, part: str, swatch: Swatch) -> None:
        self.canvas.fill(self.form.part(part), swatch)

    def _stitch(self, line: Points, colour: Rgb) -> None:
        n = int(np.hypot(*np.diff(line, axis=0).T).sum() / 11)
        thread = Swatch(tinted(colour, 0.72 if sum(colour) > 200 else 1.9), 0.50, 0.0)
        self.canvas.dash(along(line, np.linspace(0, 1, n)), thread)

    def _sewn(self, part: str, swatch: Swatch) -> None:
        """Draw a panel with a seam along its edge, if the last has that panel."""
        if not part:
            return
        outline = self.form.part(part)
        self.canvas.fill(outline, swatch)
        self._stitch(inset(outline, 10), swatch.colour)

    def _tongue(self) -> None:
        self._sewn(self.last.tongue, Swatch(self.design.upper, 0.35, 0.10, "knit"))

    def _shell(self) -> None:
        self._fill(self.last.upper, self.body)
        if self.last.vents and not self.design.toe_cap and self.design.material not in ("mesh", "suede"):
            self._vents(*self.last.vents)
        self._sewn(self.last.quarter, self.panel)
        for seam in self.last.seams:
            self._stitch(self.form.part(seam), self.design.upper)
        for polygon in mark_polygons(self.design, self.last):
            self.canvas.fill(self.form.bend(polygon), self.badge)
        self._sewn(self.last.toe_cap if self.design.toe_cap else self.last.mudguard, self.panel)
        self._sewn(self.last.counter, self.panel)
        self._fill(self.last.heel_tab, self.metal if self.design.gold_trim else self.badge)
        self.canvas.fill(ribbon(self.form.part(self.last.collar), 24.0), self.padding)
        self._sewn(self.last.eyestay, self.panel)
        if self.design.silhouette == "loafer":
            self._strap()

    def _strap(self) -> None:
        """Draw the saddle of a loafer: a metal bit, or a penny slot."""
        if not self.design.gold_trim:
            slot = np.array([[340.0, 128], [372, 150], [404, 160], [436, 156]])
            self.canvas.fill(ribbon(self.form.bend(slot), 12.0), Swatch(tinted(self.design.panels, 0.45), 0.1, 0.0))
            return
        bar = self.form.bend(np.array([[352.0, 150], [396, 166], [440, 164]]))
        self.canvas.fill(ribbon(bar, 11.0), self.metal)
        for end in bar[[0, -1]]:
            self.canvas.dot(end, 17.0, self.metal)
            self.canvas.dot(end, 8.0, self.panel)

    def _vents(self, left: float, bottom: float, right: float, top: float) -> None:
        hole = Swatch(tinted(self.design.upper, 0.45), 0.0, 0.0)
        x, y = np.meshgrid(np.linspace(left, right, 5), np.linspace(bottom, top, 3))
        slant = y + (x - left) * 0.2
        for point in self.form.bend(np.stack([x.ravel(), slant.ravel()], axis=1)):
            self.canvas.dot(point, 4.0, hole)

    def _laces(self) -> None:
        throat = self.form.part(self.last.throat)
        eyelets = along(throat, np.linspace(0.02, 0.98, self.last.n_eyelets))
        out = normals(eyelets)
        lace = Swatch(self.design.laces, 1.0, 0.05, "knit")
        hole = Swatch((28, 28, 30), 0.2, 0.0)
        onwards = np.gradient(eyelets, axis=0)
        for eyelet, aside, step in zip(eyelets, out, onwards, strict=True):
            near, far = eyelet - aside * 22, eyelet + aside * 16 + step * 0.3
            self.canvas.dot(near, 9.0, self.metal)
            self.canvas.dot(near, 4.5, hole)
            bar = np.stack([near, (near + far) / 2 + step * 0.02, far])
            self.canvas.fill(ribbon(bar, np.array([[13.0], [16.0], [14.0]])), lace)
        knot = eyelets[-1] + out[-1] * 12
        for loop in (_LOOP, _END):
            self.canvas.fill(ribbon(knot + loop, 10.0), lace)
        self.canvas.dot(knot, 11.0, lace)


_LOOP = curve("0,0 28,30 66,34 84,10 66,-14 30,-10 0,0")
_END = curve("0,0 18,-30 26,-64 20,-92")
