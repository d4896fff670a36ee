"""Design of a shoe: silhouette, material, colours, mark and proportions."""

import colorsys
from dataclasses import dataclass
from typing import Literal, get_args

Rgb = tuple[int, int, int]
"""A colour in 8-bit sRGB."""

Silhouette = Literal["runner", "skate", "basketball", "boot", "loafer"]
Material = Literal["leather", "suede", "mesh", "patent", "canvas"]
Tooling = Literal["plain", "grooved", "window", "layered"]
Mark = Literal["none", "stripes", "swoosh", "chevrons", "wave", "star"]

SILHOUETTES: tuple[Silhouette, ...] = get_args(Silhouette)
MATERIALS: tuple[Material, ...] = get_args(Material)
TOOLINGS: tuple[Tooling, ...] = get_args(Tooling)
MARKS: tuple[Mark, ...] = get_args(Mark)


@dataclass(frozen=True, slots=True)
class ShoeDesign:
    """Everything that is visible in the side view of a shoe.

    ``sole_height``, ``collar_height`` and ``bulk`` range from 0 to 1, the minimum and maximum of the silhouette;
    ``n_stripes`` is the number of bars of a ``stripes`` or ``chevrons`` mark; ``tooling`` is the shape of the midsole;
    ``grain`` is the seed of the material's texture.
    """

    silhouette: Silhouette
    material: Material
    upper: Rgb
    panels: Rgb
    accent: Rgb
    sole: Rgb
    outsole: Rgb
    laces: Rgb
    lining: Rgb
    mark: Mark = "none"
    n_stripes: int = 3
    tooling: Tooling = "plain"
    toe_cap: bool = False
    gold_trim: bool = False
    sole_height: float = 0.5
    collar_height: float = 0.5
    bulk: float = 0.5
    grain: int = 0

    @property
    def n_colours(self) -> int:
        """Number of distinct colours of upper, panels, accent, sole, outsole and laces."""
        return len({self.upper, self.panels, self.accent, self.sole, self.outsole, self.laces})

    @property
    def saturation(self) -> float:
        """Mean saturation (HSV, 0 to 1) of upper, panels and accent, which cover most of the shoe."""
        return (
            sum(colorsys.rgb_to_hsv(*(c / 255 for c in rgb))[1] for rgb in (self.upper, self.panels, self.accent)) / 3
        )
