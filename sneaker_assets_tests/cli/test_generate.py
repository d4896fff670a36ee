"""The command ``sneaker-generate``."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from upath import UPath

from sneaker_assets.cli.generate import main
from sneaker_assets.gan.training import train_gan
from sneaker_assets_tests.gan.conftest import CPU, SMALL, draw_images

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in which the graph has trained a generator for cheap shoes."""
    lake = tmp_path_factory.mktemp("lake")
    train_gan(draw_images(8), SMALL.with_changes(epochs=1), UPath(lake / "gan" / "cheap" / "abc"), CPU)
    (lake / "tables" / "gan_checkpoints").mkdir(parents=True)
    (lake / "tables" / "gan_checkpoints" / "cheap.json").write_text(json.dumps({"folder": "gan/cheap/abc"}))
    return lake


def test_the_command_writes_pictures_and_a_grid_without_dagster(lake: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from sneaker_assets.cli.generate import main\n"
        "status = main(); assert 'dagster' not in sys.modules; sys.exit(status)"
    )
    arguments = ["--lake", str(lake), "--band", "cheap", "-n", "5", "--seed", "7", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "0001.png", "0002.png", "0003.png", "0004.png", "0005.png", "grid.png",
    ]  # fmt: skip
    assert Image.open(tmp_path / "out" / "0001.png").size == (64, 64)
    assert Image.open(tmp_path / "out" / "grid.png").size == (3 * 66 - 2, 2 * 66 - 2)


def test_a_seed_determines_the_images(lake: Path, tmp_path: Path) -> None:
    for name, seed in (("one", "7"), ("two", "7"), ("three", "8")):
        assert main(["--lake", str(lake), "--band", "cheap", "-n", "1", "--seed", seed, str(tmp_path / name)]) == 0
    one, two, three = (np.asarray(Image.open(tmp_path / name / "0001.png")) for name in ("one", "two", "three"))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three)


def test_a_colour_is_generated_by_the_conditional_generator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = pd.DataFrame({"band": ["cheap"] * 4 + ["expensive"] * 4, "colour": ["red", "blue"] * 4})
    facts = {"bands": {"cheap": [0.0, 500.0], "expensive": [500.0]}}
    folder, table = tmp_path / "lake/gan/conditional/abc", tmp_path / "lake/tables/conditional_gan_checkpoints.json"
    train_gan(draw_images(8), SMALL.with_changes(epochs=1), UPath(folder), CPU, labels=labels, facts=facts)
    table.parent.mkdir()
    table.write_text(json.dumps({"folder": "gan/conditional/abc"}))
    lake = ["--lake", str(tmp_path / "lake")]
    for name, *arguments in (("band", "--band", "cheap", "--colour", "red"), ("any", "--colour", "blue")):
        assert main([*lake, *arguments, "-n", "2", str(tmp_path / name)]) == 0
        assert len(list((tmp_path / name).iterdir())) == 3
    capsys.readouterr()
    assert "choose one of blue (4), red (4)" in error_line(capsys, *lake, "--colour", "green", str(tmp_path))
    assert "--band or --colour is needed" in error_line(capsys, *lake, str(tmp_path))


def test_a_colour_without_a_conditional_generator_is_refused(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = error_line(capsys, "--lake", str(lake), "--colour", "red", str(tmp_path))
    assert "materialize conditional_gan_checkpoints first" in line


def test_a_moved_band_edge_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, table = tmp_path / "lake/gan/cheap/abc", tmp_path / "lake/tables/gan_checkpoints/cheap.json"
    train_gan(
        draw_images(8), SMALL.with_changes(epochs=1), UPath(folder), CPU, facts={"bands": {"cheap": [0.0, 500.0]}}
    )
    table.parent.mkdir(parents=True)
    table.write_text(json.dumps({"folder": "gan/cheap/abc"}))
    arguments = ["--lake", str(tmp_path / "lake"), "--band", "cheap", "-n", "1", str(tmp_path / "out")]
    assert main(arguments) == 0
    monkeypatch.setenv("SNEAKER_BANDS", "400")
    capsys.readouterr()
    assert "was trained on $0 to $500, and the band is $0 to $400 now" in error_line(capsys, *arguments)


def error_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which the command refuses its input."""
    try:
        status = main(arguments)
    except SystemExit as left:
        status = int(left.code or 0)
    assert status == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sneaker-generate: ")
    return line


def test_an_unknown_band_is_refused(lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_line(capsys, "--lake", str(lake), "--band", "luxury", str(tmp_path))
    assert "no generator for the price band 'luxury'" in line
    assert line.endswith("there are: cheap")


def test_a_lake_without_generators_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_line(capsys, "--lake", str(tmp_path), "--band", "cheap", str(tmp_path / "out"))
    assert "materialize gan_checkpoints first" in line


@pytest.mark.parametrize("n", ["0", "-3", "many", "1000000", "2.5"])
def test_an_invalid_number_is_refused(lake: Path, capsys: pytest.CaptureFixture[str], n: str) -> None:
    assert "is not a whole number from 1 to 10,000" in error_line(
        capsys, "--lake", str(lake), "--band", "cheap", f"-n={n}", "o"
    )


def test_a_missing_or_unusable_output_folder_is_refused(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "required: out" in error_line(capsys, "--lake", str(lake), "--band", "cheap")
    (tmp_path / "file").write_text("")
    assert "cannot write" in error_line(
        capsys, "--lake", str(lake), "--band", "cheap", "-n", "1", str(tmp_path / "file")
    )


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_damaged_generator_is_refused(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    file = lake / "gan" / "cheap" / "abc" / "generator" / name
    whole = file.read_bytes()
    try:
        file.write_bytes(whole[: len(whole) // 2])
        assert "is damaged" in error_line(capsys, "--lake", str(lake), "--band", "cheap", str(tmp_path))
        file.unlink()
        assert "no trained generator" in error_line(capsys, "--lake", str(lake), "--band", "cheap", str(tmp_path))
    finally:
        file.write_bytes(whole)
