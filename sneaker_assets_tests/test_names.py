import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from sneaker_assets.alerts import Alert, Outbox
from sneaker_assets.assets.metadata import show_png
from sneaker_assets.lake import Lake, LakeError, write_bytes, write_json, write_table
from sneaker_assets.market.releases import release_key, release_site
from sneaker_assets.names import MAX_LENGTH, EmptyNameError, path_name
from sneaker_assets.vision.imaging.encoding import png_bytes

PNG = png_bytes(Image.new("RGB", (8, 8)))

HOSTILE = (
    "..", ".", "../../evil", "x/../../../../evil", "/etc/passwd", "a/b", "a\\b", "C:\\evil", "a\0b", "a\nb", ".hidden",
    "a.", "a..b", "a...b", "CON", "nul.txt", "COM1", "%2e%2e%2f", "%2F", "x" * 5000, "\u2025/\u2215", "e\u0301",
    "\u00e9", "\uff0e\uff0e\uff0f", "~root", "*?<>|", " ", "a b", "\ud800", "-rf", "$(evil)",
)  # fmt: skip
"""Texts that are dangerous as file names on some system."""

ORDINARY = (
    "stockx", "ed55ec6c-7565-4e1b-84f1-4b92cedf08e5", "farfetch--21300014", "vgg16", "200-500", "example.com", "cheap",
    "farfetch_prices_by_first_seen", "run_failure-0123",
)  # fmt: skip
texts = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1), st.text("./\\%~aA0-_", min_size=1))


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_names_are_unchanged(text: str) -> None:
    assert path_name(text) == text


@given(texts)
@settings(max_examples=300, deadline=None)
@example("x" * MAX_LENGTH)
@example("x" * (MAX_LENGTH + 1))
def test_name_is_one_safe_path_component(text: str) -> None:
    name = path_name(text)
    assert re.fullmatch(r"[A-Za-z0-9._%~-]+", name)
    assert len(name) <= MAX_LENGTH
    assert not name.startswith(".")
    assert not name.endswith(".")
    assert ".." not in name
    assert not re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)", name)


@given(texts, texts)
@settings(max_examples=300, deadline=None)
@example("a/b", "a%2Fb")
@example("x" * 500, path_name("x" * 500))
@example("e\u0301", "\u00e9")
def test_different_texts_have_different_names(first: str, second: str) -> None:
    assert (path_name(first) == path_name(second)) == (first == second)


def test_empty_text_is_refused() -> None:
    with pytest.raises(EmptyNameError, match="an empty text cannot name"):
        path_name("")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_inside_the_lake_and_apart(text: str, tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "deep" / "er" / "lake")
    for name in (text, "ordinary"):
        write_table(lake.table("releases", name), pd.DataFrame({"a": [1]}))
        write_json(lake.reference("models", name), {"folder": "models/a"})
        write_bytes(lake.folder("crawls", name, name) / "file", b"x")
        show_png(lake.folder("figures", name) / f"{path_name(name)}.png", PNG)
        Outbox(lake).add(Alert(name, "premium", "text"))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 10
    assert all(path.is_relative_to(tmp_path / "deep" / "er" / "lake") for path in files)


@pytest.mark.parametrize("relative", ["../x", "/etc", "models/../../x", "models//x", "", "a\\b", "models/.x", "a\0b"])
def test_lake_resolves_no_path_outside_itself(relative: str, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="is not a path inside the lake"):
        Lake.at(tmp_path).resolve(relative)


def test_lake_resolves_the_paths_that_it_stores(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    assert lake.resolve("models/vgg16/0123456789ab") == lake.folder("models", "vgg16", "0123456789ab")


@pytest.mark.parametrize("name", ["", "abc", "0" * 63, "0" * 65, "A" * 64, "../" + "0" * 61, "0" * 63 + "\n"])
def test_image_is_named_by_a_sha256_only(name: str, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="is not the sha256 of an image"):
        Lake.at(tmp_path).image(name)


@given(st.sampled_from(["stockx", "example.com", "xn--schuh.example", "a--b.example"]), texts, texts)
@settings(max_examples=200, deadline=None)
def test_release_keys_are_partition_keys_that_name_their_site(site: str, first: str, second: str) -> None:
    key = release_key(site, first)
    assert release_site(key) == site
    assert "..." not in key
    assert key.isprintable()
    assert (key == release_key(site, second)) == (first == second)
