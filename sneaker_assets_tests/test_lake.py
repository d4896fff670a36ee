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


def test_a_table_comes_back_as_it_was_written(any_lake: Lake) -> None:
    frame = pd.DataFrame(
        {"a": [1, 2], "b": ["x", None], "t": pd.to_datetime(pd.Series(["2020-01-01", None]), utc=True)}
    )
    write_table(any_lake.table("things", "here"), frame)
    pd.testing.assert_frame_equal(read_table(any_lake.table("things", "here")), frame)


def test_an_error_in_the_middle_of_a_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = Lake.at(tmp_path).table("things")
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError), new_file(path) as file:
        file.write_bytes(b"half of the n")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert [child.name for child in path.parent.iterdir()] == ["things.parquet"]


def test_a_new_folder_replaces_the_old_one_whole(any_lake: Lake) -> None:
    path = any_lake.folder("models", "vgg16")
    for content in ("old", "new"):
        with new_folder(path) as folder:
            (folder / "inner").mkdir()
            (folder / "inner" / content).write_text(content)
    assert (path / "inner" / "new").read_text() == "new"
    if any_lake.root.protocol == "":
        assert [child.name for child in (path / "inner").iterdir()] == ["new"]


def test_a_folder_that_fails_half_way_is_not_there(tmp_path: Path) -> None:
    path = Lake.at(tmp_path).folder("models", "vgg16")
    with pytest.raises(RuntimeError), new_folder(path) as folder:
        (folder / "half").write_text("")
        raise RuntimeError
    assert not path.exists()
    assert list(path.parent.iterdir()) == []


def test_json_keeps_other_alphabets_readable(any_lake: Lake) -> None:
    path = any_lake.folder("models") / "config.json"
    write_json(path, {"title": "Schuhgröße 44"})
    assert "Schuhgröße" in path.read_text(encoding="utf-8")
    assert read_json(path) == {"title": "Schuhgröße 44"}


def test_a_lake_that_cannot_be_written_says_where_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file where the folder should be")
    with pytest.raises(LakeError, match=r"cannot write to the lake at .*lake/tables.*SNEAKER_LAKE"):
        write_table(Lake.at(tmp_path / "lake").table("things"), pd.DataFrame({"a": [1]}))


def test_an_image_is_named_by_its_hash_alone(tmp_path: Path) -> None:
    assert Lake.at(tmp_path).image("ab" + "0" * 62) == Lake.at(tmp_path).root / "images" / "ab" / ("ab" + "0" * 62)


def test_a_lake_keeps_to_the_source_that_filled_it(any_lake: Lake) -> None:
    with pytest.raises(RuntimeError), any_lake.kept_to("archive"):
        raise RuntimeError
    with any_lake.kept_to("demo"):
        pass
    with (
        pytest.raises(LakeError, match="was filled from demo, not archive: set SNEAKER_LAKE to another"),
        any_lake.kept_to("archive"),
    ):
        pass
