import io
import itertools
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sneaker_assets.demo_shop.catalogue import generate_catalogue
from sneaker_assets.demo_shop.design import MARKS, MATERIALS, SILHOUETTES, ShoeDesign
from sneaker_assets.demo_shop.shoes import draw_shoe, encode_jpeg

RUNNER = ShoeDesign(
    silhouette="runner",
    material="leather",
    upper=(36, 76, 176),
    panels=(240, 240, 238),
    accent=(192, 32, 44),
    sole=(236, 226, 200),
    outsole=(178, 120, 66),
    laces=(240, 240, 238),
    lining=(66, 68, 73),
    mark="stripes",
)


def pixels(design: ShoeDesign, size: tuple[int, int] = (470, 214)) -> np.ndarray:
    return np.array(draw_shoe(design, size), dtype=np.float64)


def ink(design: ShoeDesign) -> np.ndarray:
    """Mask of the shoe."""
    return np.asarray(pixels(design).min(axis=2) < 200)


def test_drawing_needs_only_numpy_and_pillow() -> None:
    script = "import sys; import sneaker_assets.demo_shop.shoes; print(*{m.partition('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    third_party = set(loaded) & {"bs4", "dagster", "matplotlib", "pandas", "requests", "scipy", "torch", "upath"}
    assert {"numpy", "PIL"} <= set(loaded)
    assert not third_party


@pytest.mark.parametrize("size", [(470, 214), (700, 500), (128, 128), (900, 400)])
def test_image_has_the_requested_size_and_white_corners(size: tuple[int, int]) -> None:
    image = draw_shoe(RUNNER, size)
    assert (image.size, image.mode) == (size, "RGB")
    width, height = size
    corners = itertools.product((0, width - 1), (0, height - 1))
    assert all(image.getpixel(corner) == (255, 255, 255) for corner in corners)


@pytest.mark.parametrize("silhouette", SILHOUETTES)
def test_shoe_is_centred_and_fills_the_frame(silhouette: Any) -> None:
    rows, columns = np.nonzero(ink(replace(RUNNER, silhouette=silhouette)))
    assert columns.max() - columns.min() > 0.85 * 470 or rows.max() - rows.min() > 0.8 * 214
    assert (columns.max() + columns.min()) / 2 == pytest.approx(235, abs=8)


def test_jpeg_decodes_to_nearly_the_same_image() -> None:
    image = draw_shoe(RUNNER)
    decoded = Image.open(io.BytesIO(encode_jpeg(image)))
    decoded.load()
    assert decoded.format == "JPEG"
    assert float(np.abs(np.asarray(decoded, dtype=float) - np.asarray(image)).mean()) < 3


def test_silhouettes_differ_from_one_another() -> None:
    dark = replace(RUNNER, panels=RUNNER.upper, accent=RUNNER.upper, sole=RUNNER.upper, laces=RUNNER.upper)
    masks = {s: ink(replace(dark, silhouette=s)) for s in SILHOUETTES}
    for a, b in itertools.combinations(SILHOUETTES, 2):
        overlap = (masks[a] & masks[b]).sum() / (masks[a] | masks[b]).sum()
        assert overlap < 0.8, (a, b, overlap)
    suede = ink(replace(dark, material="suede"))
    assert (masks["runner"] & suede).sum() / (masks["runner"] | suede).sum() > 0.95


def differ(a: ShoeDesign, b: ShoeDesign) -> float:
    """Mean absolute difference of two images over the shoe, in grey levels."""
    shoe = ink(a) | ink(b)
    return float(np.abs(pixels(a) - pixels(b))[shoe].mean())


@pytest.mark.parametrize(("a", "b"), list(itertools.combinations(MATERIALS, 2)))
def test_materials_differ_visibly(a: Any, b: Any) -> None:
    assert differ(replace(RUNNER, material=a), replace(RUNNER, material=b)) > 2


@pytest.mark.parametrize(("a", "b"), list(itertools.combinations(MARKS, 2)))
def test_marks_differ_visibly(a: Any, b: Any) -> None:
    assert differ(replace(RUNNER, mark=a), replace(RUNNER, mark=b)) > 2


@pytest.mark.parametrize(
    "change",
    [
        {"upper": (30, 84, 62)},
        {"panels": (30, 84, 62)},
        {"accent": (30, 84, 62)},
        {"sole": (30, 30, 33)},
        {"outsole": (30, 30, 33)},
        {"laces": (30, 30, 33)},
        {"n_stripes": 4},
        {"toe_cap": True},
        {"gold_trim": True},
        {"sole_height": 0.7},
        {"collar_height": 0.7},
        {"bulk": 0.7},
        {"tooling": "grooved"},
        {"tooling": "window"},
        {"tooling": "layered"},
    ],
    ids="-".join,
)
def test_every_attribute_changes_the_image(change: dict[str, Any]) -> None:
    assert differ(RUNNER, replace(RUNNER, **change)) > 0.5


def test_colours_match_the_design() -> None:
    blue = pixels(replace(RUNNER, panels=RUNNER.upper, mark="none"))
    middle = blue[100:130, 200:300].reshape(-1, 3).mean(axis=0)
    assert middle == pytest.approx(RUNNER.upper, abs=30)


def test_every_design_of_the_shop_can_be_drawn() -> None:
    designs = [p.design for p in generate_catalogue(80, seed=5)]
    assert {d.silhouette for d in designs} == set(SILHOUETTES)
    encoded = [encode_jpeg(draw_shoe(design, (235, 107))) for design in designs]
    assert len(set(encoded)) == len(set(designs))
