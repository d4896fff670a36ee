"""The format version of a lake: what is refused, what is migrated, and what is left alone."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from sneaker_assets import lake_format
from sneaker_assets.cli import generate, price, shop
from sneaker_assets.lake import Lake, LakeError, read_json, write_bytes, write_json, write_table
from sneaker_assets.lake_format import FORMAT, MARKER
from sneaker_assets.resources import LakeResource

MODEL = "models/vgg16/0123456789ab"


@pytest.fixture(params=["folder", "bucket"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "lake") if request.param == "folder" else f"memory://{tmp_path.name}"


def lake_of_format_1(root: str, model: str = MODEL) -> Lake:
    """A champion with a similarity index beside it, and no marker."""
    lake = Lake.at(root)
    board = pd.DataFrame({"model": [MODEL, "models/vgg16/other"], "champion": [True, False]})
    write_table(lake.table("model_leaderboard"), board)
    write_bytes(lake.root / model / "similar" / "index.faiss", b"vectors")
    write_table(lake.root / model / "similar" / "shoes.parquet", pd.DataFrame({"title": ["Shoe"]}))
    return lake


def newer(root: str) -> Lake:
    lake = Lake.at(root)
    write_json(lake.root / MARKER, {"format": FORMAT + 1, "written_by": "9.0"})
    return lake


def files(lake: Lake) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in lake.root.rglob("*") if path.is_file()}


def test_opening_a_missing_lake_does_not_create_it(tmp_path: Path) -> None:
    assert not Lake.at(tmp_path / "nowhere").root.exists()


def test_filled_lake_is_marked_with_the_current_format(root: str) -> None:
    with Lake.at(root).kept_to("demo"):
        pass
    assert read_json(Lake.at(root).root / MARKER)["format"] == FORMAT


def test_newer_format_error_says_what_to_do(root: str) -> None:
    lake = newer(root)
    before = files(lake)
    with pytest.raises(LakeError) as refused:
        Lake.at(root)
    assert "\n" not in str(refused.value)
    assert f"has format {FORMAT + 1}, written by sneaker-assets 9.0" in str(refused.value)
    assert "upgrade sneaker-assets" in str(refused.value)
    assert files(lake) == before


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "two"}', '{"format": null}'])
def test_damaged_marker_is_named(lake: Lake, content: str) -> None:
    (lake.root / MARKER).write_text(content)
    with pytest.raises(LakeError, match=r"lake\.json is damaged, .*restore the file"):
        Lake.at(str(lake.root))


def test_opening_format_1_publishes_the_champions_index(root: str) -> None:
    lake = lake_of_format_1(root)
    lake = Lake.at(root)
    assert read_json(lake.root / MARKER)["format"] == FORMAT
    index = lake.referenced("similarity_index")
    assert index is not None
    assert (index / "index.faiss").read_bytes() == b"vectors"
    assert read_json(index / "config.json")["model"] == MODEL
    assert (lake.root / MODEL / "similar" / "index.faiss").exists(), "an earlier version can still read it"


@pytest.mark.parametrize("model", ["models/vgg16/other", "models/resnet18/former"])
def test_indexes_of_other_models_are_not_published(root: str, model: str) -> None:
    lake_of_format_1(root, model)
    assert Lake.at(root).referenced("similarity_index") is None


def test_migration_is_idempotent(root: str) -> None:
    lake_of_format_1(root)
    lake = Lake.at(root)
    before = files(lake)
    (lake.root / MARKER).unlink()
    assert files(Lake.at(root)) == before


def test_interrupted_migration_is_completed(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    lake = lake_of_format_1(root)
    monkeypatch.setattr(lake_format, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        Lake.at(root)
    monkeypatch.undo()
    assert not (lake.root / MARKER).exists()
    assert Lake.at(root).referenced("similarity_index") is not None


def test_failed_migration_says_why(tmp_path: Path) -> None:
    lake = lake_of_format_1(str(tmp_path / "lake"))
    (lake.root / "similarity_index").write_text("a file where the folder should be")
    with pytest.raises(
        LakeError, match="has format 1 and must be migrated to format 2 first: cannot write to the"
    ) as no:
        Lake.at(str(lake.root))
    assert "\n" not in str(no.value)
    assert not (lake.root / MARKER).exists()


def open_resource(lake: Lake, _: Path) -> int:
    try:
        LakeResource(root=str(lake.root)).open()
    except LakeError:
        return 2
    return 0


def price_photo(_: Lake, folder: Path) -> int:
    Image.new("RGB", (40, 30)).save(folder / "photo.png")
    return price.main([str(folder / "photo.png")])


def draw_shoes(lake: Lake, folder: Path) -> int:
    return generate.main(["--band", "cheap", "--lake", str(lake.root), str(folder / "out")])


def move_clock(*_: object) -> int:
    with pytest.raises(SystemExit) as ended:
        shop.main(["--set-today", "2020-10-01"])
    return int(str(ended.value.code))


@pytest.mark.parametrize("open_lake", [open_resource, price_photo, draw_shoes, move_clock])
def test_every_command_refuses_a_newer_format_before_it_writes(
    open_lake: Callable[[Lake, Path], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lake = newer(str(tmp_path / "lake"))
    monkeypatch.setenv("SNEAKER_LAKE", str(lake.root))
    before = files(lake)
    assert open_lake(lake, tmp_path) == 2
    assert files(lake) == before
    said = capsys.readouterr().err.splitlines()
    assert len(said) == (open_lake is not open_resource)
    assert all(f"has format {FORMAT + 1}" in line for line in said)


def test_the_marker_is_readable_json(tmp_path: Path) -> None:
    lake_of_format_1(str(tmp_path))
    marker = json.loads((Lake.at(tmp_path).root / MARKER).read_text())
    assert set(marker) == {"format", "written_by"}
