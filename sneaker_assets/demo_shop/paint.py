"""Rendering of label images: polygons are drawn with a material per pixel and then shaded as a whole.

A :class:`Canvas` stores the number of a material for each pixel. Colour, relief and gloss are looked up from it when
the image is rendered.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sneaker_assets.demo_shop.design import Rgb
from sneaker_assets.demo_shop.outlines import Points

Field = NDArray[np.float32]
"""One value per pixel, shape (height, width)."""

Texture = Literal["smooth", "grain", "suede", "mesh", "canvas", "rubber", "knit"]
Layer = Literal["body", "sole", "inside"]

SUPERSAMPLING = 2
COARSE = 4
"""Factor by which smooth fields are downsampled."""

FRINGE = 12
"""Pixels around the drawing reserved for the shadow."""


@dataclass(frozen=True, slots=True)
class Swatch:
    """Material of a region: colour, relief and gloss (0 to 1), texture and layer."""

    colour: Rgb
    relief: float = 0.0
    gloss: float = 0.1
    texture: Texture = "smooth"
    layer: Layer = "body"


@lru_cache(maxsize=32)
def texture_field(texture: Texture, pitch: int, side: int) -> Field:
    """Relief of a texture on a square.

    Args:
        texture: The texture, other than ``smooth``.
        pitch: Period of the pattern in pixels.
        side: Height and width in pixels.

    Returns:
        float32 [side, side], about -1 to 1.
    """
    noise = np.random.default_rng(7).standard_normal((side, side), dtype=np.float32)
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    turn = np.float32(2 * np.pi / pitch)
    if texture == "mesh":
        holes = np.cos(turn * (x + y // pitch % 2 * pitch / 2)) + np.cos(turn * y)
        field = np.clip(-holes, -1.3, 0.3) + 0.08 * noise
    elif texture == "knit":
        field = 0.6 * np.cos(turn * (x + np.abs(y % pitch - pitch / 2))) + 0.15 * noise
    elif texture == "canvas":
        field = 0.5 * np.where((x + y) % 2 < 1, 1, -1) + 0.4 * noise
    else:
        field = {"suede": 0.8, "grain": 0.30, "rubber": 0.12}[texture] * noise
    return np.asarray(field, dtype=np.float32)


def _box_filtered(field: Field, radius: int) -> Field:
    """Moving average over ``2 * radius + 1`` rows, with zero padding."""
    rows = len(field)
    total = np.zeros((rows + 2 * radius + 1, field.shape[1]), dtype=np.float32)
    np.cumsum(field, axis=0, out=total[radius + 1 : radius + 1 + rows])
    total[radius + 1 + rows :] = total[radius + rows]
    return np.asarray((total[2 * radius + 1 :] - total[: -2 * radius - 1]) / np.float32(2 * radius + 1))


def _blurred(field: Field, radius: float) -> Field:
    """Field blurred by two box filters, which approximate a Gaussian."""
    r = max(1, round(radius))
    for _ in range(2):
        field = _box_filtered(_box_filtered(field, r).T, r).T
    return field


def _resized(field: Field, size: tuple[int, int]) -> Field:
    """Field interpolated bilinearly to another size (width, height)."""
    return np.asarray(Image.fromarray(field).resize(size, Image.Resampling.BILINEAR))


class Canvas:
    """A white image on which shapes in shoe coordinates are drawn.

    Args:
        size: Width and height in pixels.
        scale: Pixels per unit of the shoe coordinates.
        origin: Pixel (x, y) of the origin of the shoe coordinates, whose y axis points upwards.
    """

    def __init__(self, size: tuple[int, int], scale: float, origin: tuple[float, float]) -> None:
        self.size, self.scale = size, scale
        self._scales, self._origin = np.array([scale, -scale]), np.array(origin)
        self._labels = Image.new("L", (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING))
        self._draw = ImageDraw.Draw(self._labels)
        self._numbers: dict[Swatch | None, int] = {None: 0}

    def _pixels(self, points: Points) -> list[float]:
        """Flat list x, y, x, y, ... in supersampled pixels."""
        flat: list[float] = ((points * self._scales + self._origin) * SUPERSAMPLING).ravel().tolist()
        return flat

    def _number(self, swatch: Swatch | None) -> int:
        return self._numbers.setdefault(swatch, len(self._numbers))

    def fill(self, points: Points, swatch: Swatch | None) -> None:
        """Fill a polygon, or erase it if there is no swatch.

        Args:
            points: The polygon in shoe coordinates, shape (n, 2).
            swatch: Its material.
        """
        self._draw.polygon(self._pixels(points), fill=self._number(swatch))

    def dot(self, point: Points, radius: float, swatch: Swatch) -> None:
        """Fill a circle.

        Args:
            point: Its centre in shoe coordinates, shape (2,).
            radius: Its radius in shoe coordinates.
            swatch: Its material.
        """
        x, y = self._pixels(point[None])
        r = radius * self.scale * SUPERSAMPLING
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=self._number(swatch))

    def dash(self, points: Points, swatch: Swatch) -> None:
        """Draw a dashed line: a thin line from every second point to the next.

        Args:
            points: The line in shoe coordinates, shape (n, 2).
            swatch: Its material.
        """
        number, pixels = self._number(swatch), self._pixels(points)
        for i in range(0, len(pixels) - 3, 4):
            self._draw.line(pixels[i : i + 4], fill=number, width=SUPERSAMPLING)

    @contextmanager
    def inside(self, outline: Points) -> Iterator[None]:
        """Clip everything drawn in the block to an outline."""
        below = self._labels
        self._labels = below.copy()
        self._draw = ImageDraw.Draw(self._labels)
        yield
        mask = Image.new("1", below.size)
        ImageDraw.Draw(mask).polygon(self._pixels(outline), fill=1)
        below.paste(self._labels, mask=mask)
        self._labels = below
        self._draw = ImageDraw.Draw(below)

    def render(self, grain: int) -> Image.Image:
        """Render the image, lit from the upper left, with a soft shadow; ``grain`` offsets the textures."""
        picture = Image.new("RGB", self.size, "white")
        left, top, right, bottom = self._labels.getbbox() or (0, 0, 1, 1)
        box = (
            max(left // SUPERSAMPLING - FRINGE, 0),
            max(top // SUPERSAMPLING - FRINGE, 0),
            min(right // SUPERSAMPLING + FRINGE, self.size[0]),
            min(bottom // SUPERSAMPLING + FRINGE, self.size[1]),
        )
        left, top, right, bottom = (SUPERSAMPLING * side for side in box)
        labels = self._labels.crop((left, top, right, bottom))
        swatches = [swatch for swatch in self._numbers if swatch is not None]
        picture.paste(_Scene(labels, swatches, self.scale).lit(grain), box[:2])
        return picture


class _Scene:
    """The part of an image that is not white: its labels and the swatches with these numbers (from 1)."""

    def __init__(self, labels: Image.Image, swatches: list[Swatch], scale: float) -> None:
        self._labels, self._swatches, self._scale = labels, swatches, scale
        self._flat = np.asarray(labels)[::SUPERSAMPLING, ::SUPERSAMPLING].astype(np.intp)
        height, width = self._flat.shape
        self._size = (width, height)

    def lit(self, grain: int) -> Image.Image:
        """Shaded image of the scene, including its shadow."""
        body, sole, inside = (
            self._of([s.layer == layer for s in self._swatches]) for layer in ("body", "sole", "inside")
        )
        dx, dy = self._slopes(body, sole, grain)
        steep = 1 / np.sqrt(1 + dx * dx + dy * dy)
        shade = 0.34 + 0.88 * np.maximum((0.36 * dx + 0.55 * dy + 0.75) * steep, 0)
        shade *= 1 - 0.5 * inside
        contact = _blurred(self._coarse(sole), self._scale * 2.4)
        shade *= 1 - 0.42 * body * _resized(contact, self._size)
        cover = self._smooth([1.0] * len(self._swatches))
        shade = self._shadow() * (1 - cover) + shade * cover
        shine = np.clip((0.20 * dx + 0.42 * dy + 0.885) * steep, 0, 1)
        for _ in range(5):
            shine *= shine
        glow = shine * self._of([150.0 * s.gloss for s in self._swatches])
        picture = self._colours() * shade[..., None] + glow[..., None]
        return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))

    def _of(self, values: list[float] | list[bool]) -> Field:
        """Value of the swatch at each pixel, 0 on the background."""
        field: Field = np.array([0, *values], dtype=np.float32).take(self._flat)
        return field

    def _smooth(self, values: list[float]) -> Field:
        """Value (0 to 1) of the swatch at each pixel, antialiased."""
        table = [0, *(round(255 * v) for v in values)]
        soft = self._labels.point(table + [0] * (256 - len(table))).reduce(SUPERSAMPLING)
        return np.asarray(soft, dtype=np.float32) / np.float32(255)

    def _colours(self) -> Field:
        indexed = self._labels.copy()
        indexed.putpalette([255, 255, 255, *(c for swatch in self._swatches for c in swatch.colour)])
        return np.asarray(indexed.convert("RGB").reduce(SUPERSAMPLING), dtype=np.float32)

    def _slopes(self, body: Field, sole: Field, grain: int) -> tuple[Field, Field]:
        """Slopes of the surface in x and y: relief, textures and the curvature of the body."""
        bump = self._smooth([s.relief for s in self._swatches]) * np.float32(self._scale * 9)
        width, height = self._size
        pitch, off = max(3, round(self._scale * 11)), grain % 64
        side = 64 + 256 * -(-max(self._size) // 256)
        for texture in dict.fromkeys(s.texture for s in self._swatches if s.texture != "smooth"):
            patch = texture_field(texture, pitch, side)[off : off + height, off : off + width]
            bump += patch * self._of([0.30 * (s.texture == texture) for s in self._swatches])
        dx, dy = np.zeros_like(bump), np.zeros_like(bump)
        dx[:, 1:] = bump[:, 1:] - bump[:, :-1]
        dy[1:] = bump[1:] - bump[:-1]
        small_sole = self._coarse(sole)
        whole = self._bulge(self._coarse(body) + small_sole, 0.085, (8, 20, 45))
        for mask, (rise_y, rise_x) in ((body, whole), (sole, self._bulge(small_sole, 0.05, (5, 12)))):
            dx += mask * _resized(rise_x, self._size)
            dy += mask * _resized(rise_y, self._size)
        return dx, dy

    def _coarse(self, field: Field) -> Field:
        return np.asarray(Image.fromarray(field).reduce(COARSE))

    def _bulge(self, mask: Field, depth: float, radii: tuple[float, ...]) -> list[Field]:
        """Slopes in y and x of a surface that is convex where ``mask`` is 1, at the coarse resolution."""
        unit = self._scale / COARSE
        soft = sum((_blurred(mask, unit * radius) for radius in radii), np.zeros_like(mask)) / np.float32(len(radii))
        swell = np.sqrt(np.maximum(2 * soft - 0.9, 0) + np.float32(0.02)) * np.float32(unit * 1000 * depth)
        return list(np.gradient(swell))

    def _shadow(self) -> Field:
        """Brightness of the background (0 to 1), darker near the ground below the drawing."""
        width, height = self._size
        x = (np.arange(width, dtype=np.float32) - FRINGE) / (width - 2 * FRINGE)
        y = (np.arange(height, dtype=np.float32) - (height - FRINGE)) / np.float32(FRINGE)
        across = np.clip((x + 0.02) * 8, 0, 1) * np.clip((1.02 - x) * 12, 0, 1)
        down = np.where(y < 0, np.clip(1 + y / 3, 0, 1), np.clip(1 - y, 0, 1)) ** 2
        return np.asarray(1 - np.float32(0.34) * down[:, None] * across[None])
