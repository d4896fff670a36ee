"""The command ``sneaker-assets`` on a temporary instance: its summary, and its errors for bad input."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sneaker_assets.cli import pipeline
from sneaker_assets.cli.pipeline import running
from sneaker_assets.cli.pipeline.command import parse
from sneaker_assets.cli.pipeline.stages import model_stages
from sneaker_assets.cli.pipeline.summary import summary
from sneaker_assets.crawl.database import open_database
from sneaker_assets.crawl.frontier import Frontier
from sneaker_assets.crawl.images import ImageRecord, images_table
from sneaker_assets.lake import Lake, write_table

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Function that runs ``sneaker-assets`` with its own home and lake; returns exit status and output, or errors."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("SNEAKER_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.delenv("SNEAKER_WEIGHTS", raising=False)

    def run(*arguments: str, **settings: str) -> tuple[int, str]:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        status, written = pipeline.main(arguments), capsys.readouterr()
        return status, written.err if status else written.out

    return run


def archive(folder: Path, rows: pd.DataFrame) -> str:
    """A folder laid out like a published data set; the brightness of an image is proportional to the price."""
    (folder / "images").mkdir(parents=True)
    rows.to_csv(folder / "listings.csv", index=False)
    if "sale_price" in rows:
        for price, name in zip(rows["sale_price"], rows["image_name"], strict=True):
            shade = np.full((20, 40, 3), price / 4, dtype=np.uint8)
            Image.fromarray(shade).save(folder / "images" / name, format="PNG")
    return str(folder)


@pytest.mark.slow
def test_an_archive_runs_through_the_whole_graph(run: Run, tmp_path: Path) -> None:
    prices = [100.0 + 10 * i for i in range(60)]
    names = [f"{('stockx', 'farfetch')[i % 2]}_{i}.png" for i in range(60)]
    folder = archive(tmp_path / "archive", pd.DataFrame({"sale_price": prices, "image_name": names}))
    (tmp_path / "archive" / "images" / "stockx_58.png").unlink()
    arguments = ("--backbone", "resnet18", "--weights", "none", "--head", "ridge")
    gan = ("--gan-epochs", "1", "--gan-width", "4", "--gan-batch-size", "8")
    status, output = run(*arguments, *gan, SNEAKER_SOURCE="archive", SNEAKER_ARCHIVE=folder)
    assert status == 0, output
    for words in (
        "30 products, 30 new",
        "29, 29 new, 1 unusable",
        "trained now, best penalty ",
        "(mean predictor $",
        "champion",
        "1 epochs, 1 trained now",
        "on features of weights: random",
    ):
        assert words in output
    figures = [Path(line.strip()) for line in output.split("Figures")[1].splitlines() if line.endswith(".png")]
    assert len(figures) >= 6
    assert all(figure.exists() for figure in figures)
    status, again = run(*arguments, *gan, SNEAKER_SOURCE="archive", SNEAKER_ARCHIVE=folder)
    assert status == 0, again
    for stage in ("train_price_model resnet18", "rank_models", "train_gan cheap", "train_gan expensive"):
        assert f"{stage}\n  up to date" in again
    assert {*again.split("Figures")[1].splitlines()} == {*output.split("Figures")[1].splitlines()}
    assert "1 epochs, 0 trained now" in again
    (tmp_path / "lake" / "tables" / "leak_report" / "resnet18.parquet").unlink()
    status, repaired = run(*arguments, *gan, SNEAKER_SOURCE="archive", SNEAKER_ARCHIVE=folder)
    assert status == 0, repaired
    assert "leak_report/resnet18.parquet is missing: leak_report" in repaired
    assert "rank_models\n  up to date" in repaired


@pytest.mark.parametrize(("kept", "words"), [({"epoch": 7.0}, "best epoch 7"), ({"alpha": 0.1}, "best penalty 0.1")])
def test_summary_describes_network_and_closed_form_heads(kept: dict[str, float], words: str) -> None:
    outcome = pipeline.Outcome(
        pipeline.Stage("train_price_model"), 1.0, {"price_model": {"trained_now": False, **kept}}
    )
    rows = list(summary([outcome]).columns[1].cells)
    assert rows[0] == f"already there, {words}"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (pd.DataFrame({"cost": [1], "image_name": ["stockx_1.png"]}), "no price column; it has: cost, image_name"),
        (pd.DataFrame({"sale_price": [], "image_name": []}), "listings.csv has a header and no rows"),
    ],
)
def test_bad_archive_fails_with_one_line(run: Run, tmp_path: Path, rows: pd.DataFrame, message: str) -> None:
    status, output = run(SNEAKER_SOURCE="archive", SNEAKER_ARCHIVE=archive(tmp_path / "archive", rows))
    assert status == 1
    assert message in next(line for line in output.splitlines() if line.startswith("failed"))
    assert not (tmp_path / "lake" / "tables").exists()


def test_missing_archive_is_named(run: Run, tmp_path: Path) -> None:
    status, output = run(SNEAKER_SOURCE="archive", SNEAKER_ARCHIVE=str(tmp_path / "nowhere"))
    assert status == 1
    assert "nowhere is not there: set SNEAKER_ARCHIVE" in output


@pytest.mark.parametrize(
    ("source", "missing"), [("archive", "set SNEAKER_ARCHIVE to it"), ("live", "set SNEAKER_CONTACT to")]
)
def test_source_without_its_settings_starts_nothing(run: Run, tmp_path: Path, source: str, missing: str) -> None:
    status, output = run(SNEAKER_SOURCE=source, SNEAKER_ARCHIVE="", SNEAKER_CONTACT="")
    (line,) = output.splitlines()
    assert (status, missing in line) == (1, True)
    assert not (tmp_path / "lake").exists()


def test_unwritable_lake_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file where the folder should be")
    status, output = run(SNEAKER_SOURCE="demo")
    assert status == 1
    assert "cannot write to the lake" in output
    assert "SNEAKER_LAKE" in output


def test_a_lake_of_a_newer_format_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    marker = tmp_path / "lake" / "lake.json"
    marker.parent.mkdir()
    marker.write_text('{"format": 99, "written_by": "9.0"}')
    status, output = run(SNEAKER_SOURCE="demo")
    assert status == 1
    (line,) = [line for line in output.splitlines() if line.strip()]
    assert line.startswith("failed the lake at ")
    assert "has format 99, written by sneaker-assets 9.0" in line
    assert list((tmp_path / "lake").iterdir()) == [marker]


def test_unknown_source_error_lists_the_known_ones(run: Run) -> None:
    status, output = run(SNEAKER_SOURCE="ebay")
    assert status == 1
    assert "SNEAKER_SOURCE='ebay': it must be 'demo', 'archive', 'saved', 'live' or 'kicksdb'" in output


def test_unknown_backbone_error_lists_the_known_ones(run: Run) -> None:
    status, output = run("--backbone", "vgg61")
    assert status == 1
    assert "unknown backbone 'vgg61': did you mean vgg16 or vgg19? Choose one of vgg16, " in output


def test_recipe_of_the_article_is_chosen_by_an_option() -> None:
    stages = model_stages(parse(["--backbone", "vgg16", "--recipe", "article"]))
    (training,) = [stage for stage in stages if stage.job == "train_price_model"]
    assert (training.partition, training.config) == ("vgg16", {"image_features": {"recipe": "article"}})


def test_backbone_that_is_not_in_use_is_refused(run: Run) -> None:
    status, output = run("--backbone", "resnet18", "--backbone", "resnet50")
    assert status == 1
    assert output.strip() == (
        "failed the backbone resnet50 is not in use: set SNEAKER_BACKBONES=vgg16,efficientnet_lite0,resnet18,resnet50"
    )


@pytest.mark.parametrize(
    ("home", "message"),
    [
        ("", "DAGSTER_HOME is not set: use make, or set it to an absolute path"),
        ("dagster_home", "DAGSTER_HOME must be an absolute path to an existing folder with dagster.yaml: use make"),
        ("/nowhere/home", "DAGSTER_HOME must be an absolute path to an existing folder with dagster.yaml: use make"),
    ],
)
def test_invalid_dagster_home_is_reported_in_one_line(run: Run, home: str, message: str, tmp_path: Path) -> None:
    status, output = run(DAGSTER_HOME=home)
    assert status == 1
    (line,) = output.splitlines()
    assert line.startswith(f"failed {message}")
    assert not (tmp_path / "lake").exists()


def test_site_that_stops_the_crawl_of_releases_is_reported_in_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "crawl_stages", lambda: iter(()))
    monkeypatch.setattr(running, "model_stages", lambda _arguments: iter(()))
    lake = Lake.at(tmp_path / "lake")
    write_table(
        lake.table("scraped_images", "stockx"), images_table([ImageRecord("stockx", "a.jpg", "0" * 64, 9, 3, 3)])
    )
    with open_database(lake, "stockx") as database:
        Frontier(database).hold("stockx.localhost", datetime.now(UTC) + timedelta(days=1))
    status, output = run(SNEAKER_SOURCE="demo")
    assert status == 1
    (line,) = output.splitlines()
    assert line.startswith("failed stockx.localhost asks us to wait: come back after ")
