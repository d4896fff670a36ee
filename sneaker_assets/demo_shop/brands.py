"""Fictional brands with their models and design preferences, and random generation of designs.

A brand is recognisable by its mark, silhouettes and materials, so that its price level is visible in images.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from sneaker_assets.demo_shop.design import TOOLINGS, Mark, Material, Rgb, ShoeDesign, Silhouette

COLOURS: dict[str, Rgb] = {
    "White": (243, 243, 240), "Chalk": (232, 228, 216), "Sail": (236, 226, 200), "Grey Fog": (196, 199, 202),
    "Slate": (112, 119, 128), "Graphite": (66, 68, 73), "Black": (30, 30, 33), "Gum": (178, 120, 66),
    "Sand": (208, 186, 150), "Camel": (190, 142, 92), "Cocoa": (92, 62, 46), "Cognac": (150, 86, 46),
    "Oxblood": (104, 28, 36), "Crimson": (192, 32, 44), "Coral": (236, 112, 96), "Rose": (232, 168, 176),
    "Orange": (232, 112, 36), "Amber": (240, 172, 44), "Volt": (206, 226, 56), "Lime": (134, 186, 62),
    "Pine": (30, 84, 62), "Olive": (106, 108, 62), "Mint": (160, 214, 190), "Teal": (24, 128, 136),
    "Sky": (142, 190, 226), "Royal": (36, 76, 176), "Navy": (30, 42, 82), "Lilac": (184, 164, 216),
    "Violet": (96, 58, 146), "Magenta": (198, 44, 120),
}  # fmt: skip
"""Colour names and their nominal RGB values."""

NEUTRALS = ("White", "Chalk", "Sail", "Grey Fog", "Slate", "Graphite", "Black", "Sand", "Camel", "Cocoa", "Cognac")
BRIGHTS = tuple(name for name in COLOURS if name not in NEUTRALS and name != "Gum")
SOLES = ("White", "White", "White", "Sail", "Chalk", "Black", "Black", "Gum", "Grey Fog")
OUTSOLES = ("Gum", "Black", "White", "Graphite")


@dataclass(frozen=True, slots=True)
class Brand:
    """A fictional brand.

    Attributes:
        name: Name of the brand.
        mark: Logo on the side of its shoes.
        models: Model names by silhouette.
        materials: Relative frequency of each material.
        loudness: Probability of a bright rather than a neutral colour.
        gold: Probability of gold trim.
        share: Relative frequency of the brand in the shop.
    """

    name: str
    mark: Mark
    models: Mapping[Silhouette, tuple[str, ...]]
    materials: Mapping[Material, float]
    loudness: float
    gold: float
    share: float


BRANDS: tuple[Brand, ...] = (
    Brand("Vantor", "swoosh", {"runner": ("Velo 90", "Pulse React", "Air Drift"),
          "basketball": ("Court Legend Hi", "Dominion 1", "Skyhook Mid"), "skate": ("Deck Low",)},
          {"leather": 4, "mesh": 4, "suede": 2, "patent": 1}, 0.6, 0.08, 14),
    Brand("Trefeld", "stripes", {"runner": ("Ultra Glide", "Falke 84", "Boston Run"),
          "skate": ("Samt", "Gaselle", "Kampus 80"), "basketball": ("Forum Hi",)},
          {"mesh": 4, "suede": 4, "leather": 3, "canvas": 1}, 0.55, 0.05, 14),
    Brand("Oxley & Rand", "none", {"loafer": ("Penrose", "Aldwych", "Hamble"), "boot": ("Marlow Lace", "Thorpe")},
          {"leather": 6, "suede": 3, "patent": 3}, 0.1, 0.25, 13),
    Brand("Maison Aurel", "star", {"skate": ("Soleil", "Étoile Low"), "runner": ("Comète", "Orbite"),
          "basketball": ("Zénith Hi",), "loafer": ("Mirabeau",), "boot": ("Lumière",)},
          {"leather": 5, "patent": 4, "suede": 2}, 0.35, 0.55, 14),
    Brand("Wavecrest", "wave", {"skate": ("Old Pier", "Halfpipe", "Authentic 66"), "basketball": ("Sk-Hi 78",)},
          {"canvas": 6, "suede": 4, "leather": 1}, 0.65, 0.02, 10),
    Brand("Kestrel Athletics", "chevrons", {"runner": ("K-990", "Fresh 574", "Arc 1300"), "skate": ("Numeric 22",),
          "basketball": ("BB 550 Hi",)},
          {"suede": 4, "mesh": 5, "leather": 3}, 0.45, 0.03, 12),
    Brand("Norrland", "none", {"boot": ("Fjell GTX", "Skog 6-inch", "Tundra"), "runner": ("Trail XT",)},
          {"leather": 4, "suede": 4, "canvas": 1, "mesh": 1}, 0.25, 0.06, 11),
    Brand("Casa Bravetti", "stripes", {"basketball": ("Rialto Hi", "Duomo"), "runner": ("Pista", "Volata"),
          "loafer": ("Navona", "Brera"), "boot": ("Milano Chelsea",)},
          {"leather": 5, "patent": 5, "suede": 2}, 0.5, 0.6, 12),
)  # fmt: skip
"""Brands of the shop."""

_SHARES = [brand.share for brand in BRANDS]


@dataclass(frozen=True, slots=True)
class Shoe:
    """A design with the names of its brand, model and colourway."""

    brand: str
    model: str
    colourway: str
    design: ShoeDesign


def design_shoe(rng: random.Random) -> Shoe:
    """Draw a random shoe; the same state of ``rng`` gives the same shoe."""
    (brand,) = rng.choices(BRANDS, _SHARES)
    silhouette = rng.choice([kind for kind, models in brand.models.items() for _ in models])
    (material,) = rng.choices(list(brand.materials), list(brand.materials.values()))
    names = _colourway(brand, rng)
    colours = {name: _perturbed_colour(name, rng) for name in names}
    upper, panels, accent, sole, outsole, laces, lining = names
    design = ShoeDesign(
        silhouette=silhouette,
        material=material,
        upper=colours[upper],
        panels=colours[panels],
        accent=colours[accent],
        sole=colours[sole],
        outsole=colours[outsole],
        laces=colours[laces],
        lining=colours[lining],
        mark=brand.mark if rng.random() < 0.85 else "none",
        n_stripes=rng.choice((2, 3, 3, 4)),
        tooling=rng.choice(TOOLINGS),
        toe_cap=rng.random() < 0.4,
        gold_trim=rng.random() < brand.gold,
        sole_height=round(rng.random(), 3),
        collar_height=round(rng.random(), 3),
        bulk=round(rng.random(), 3),
        grain=rng.randrange(1 << 16),
    )
    words = dict.fromkeys((upper, panels, accent, sole))
    return Shoe(brand.name, rng.choice(brand.models[silhouette]), "/".join(words), design)


def _colourway(brand: Brand, rng: random.Random) -> tuple[str, ...]:
    """Colour names of upper, panels, accent, sole, outsole, laces and lining."""

    def pick() -> str:
        return rng.choice(BRIGHTS if rng.random() < brand.loudness else NEUTRALS)

    upper = pick()
    panels = pick() if rng.random() < 0.65 else upper
    accent = pick() if rng.random() < 0.75 else panels
    sole = rng.choice((*SOLES, upper))
    outsole = rng.choice((*OUTSOLES, sole, sole, sole))
    laces = rng.choice(("White", "White", "Black", upper, panels, accent))
    lining = rng.choice(("Black", "Graphite", "Grey Fog", panels, accent))
    return upper, panels, accent, sole, outsole, laces, lining


def _perturbed_colour(name: str, rng: random.Random) -> Rgb:
    """RGB value of a colour with a small random deviation from its nominal one."""
    r, g, b = (min(max(c + rng.randint(-6, 6), 0), 255) for c in COLOURS[name])
    return r, g, b
