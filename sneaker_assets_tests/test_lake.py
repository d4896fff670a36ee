from pathlib import Path

import pandas as pd
import pytest

from sneaker_assets.lake import (
    Lake,
    LakeError,
    new_file,
    new_folder,
    read_json,
    read_table,
    write_bytes,
    write_json,
    write_table,
)


@pytest.fixture(params=["folder", "bucket"])
def any_lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return Lake.at(tmp_path) if request.param == "folder" else Lake.at(f"memory://{tmp_path.name}")


def test_table_round_trips_unchanged(any_lake: Lake) -> None:
    frame = pd.DataFrame(
        {"a": [1, 2], "b": ["x", None], "t": pd.to_datetime(pd.Series(["2020-01-01", None]), utc=True)}
    )
    write_table(any_lake.table("things", "here"), frame)
    pd.testing.assert_frame_equal(read_table(any_lake.table("things", "here")), frame)


def test_failed_write_keeps_the_old_file_and_leaves_no_scratch(tmp_path: Path) -> None:
    path = Lake.at(tmp_path).table("things")
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError), new_file(path) as file:
        file.write_bytes(b"half of the n")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert [child.name for child in path.parent.iterdir()] == ["things.parquet"]


def test_new_folder_replaces_the_old_one_completely(any_lake: Lake) -> None:
    path = any_lake.folder("models", "vgg16")
    for content in ("old", "new"):
        with new_folder(path) as folder:
            (folder / "inner").mkdir()
            (folder / "inner" / content).write_text(content)
    assert (path / "inner" / "new").read_text() == "new"
    if any_lake.root.protocol == "":
        assert [child.name for child in (path / "inner").iterdir()] == ["new"]


def test_failed_folder_write_creates_nothing(tmp_path: Path) -> None:
    path = Lake.at(tmp_path).folder("models", "vgg16")
    with pytest.raises(RuntimeError), new_folder(path) as folder:
        (folder / "half").write_text("")
        raise RuntimeError
    assert not path.exists()
    assert list(path.parent.iterdir()) == []


def test_json_is_written_without_ascii_escapes(any_lake: Lake) -> None:
    path = any_lake.folder("models") / "config.json"
    write_json(path, {"title": "Schuhgröße 44"})
    assert "Schuhgröße" in path.read_text(encoding="utf-8")
    assert read_json(path) == {"title": "Schuhgröße 44"}


def test_unwritable_lake_error_names_path_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file where the folder should be")
    with pytest.raises(LakeError, match=r"cannot write to the lake at .*lake/tables.*SNEAKER_LAKE"):
        write_table(Lake.at(tmp_path / "lake").table("things"), pd.DataFrame({"a": [1]}))


def test_image_path_depends_on_the_hash_only(tmp_path: Path) -> None:
    assert Lake.at(tmp_path).image("ab" + "0" * 62) == Lake.at(tmp_path).root / "images" / "ab" / ("ab" + "0" * 62)


def test_lake_rejects_a_second_source(any_lake: Lake) -> None:
    with pytest.raises(RuntimeError), any_lake.kept_to("archive"):
        raise RuntimeError
    with any_lake.kept_to("demo"):
        pass
    with (
        pytest.raises(LakeError, match="was filled from demo, not archive: set SNEAKER_LAKE to another"),
        any_lake.kept_to("archive"),
    ):
        pass
