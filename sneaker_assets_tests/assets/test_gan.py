"""The GAN assets on a temporary instance, above all for bands with too few images."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from PIL import Image

from sneaker_assets.lake import read_json, write_table
from sneaker_assets.tables import Splits
from sneaker_assets_tests.assets.test_graph import Project, metadata
from sneaker_assets_tests.builders import store_image
from sneaker_assets_tests.gan.conftest import draw_images

pytestmark = pytest.mark.slow

JUDGING = {"backbone": "resnet10", "weights": "none"}
GAN = {"epochs": 2, "generator_width": 2, "discriminator_width": 2, "batch_size": 8, "checkpoint_every": 1}
CONFIG = {
    "gan_checkpoints": {"config": {**GAN, **JUDGING}},
    "gan_evaluation": {"config": {"samples": 16, **JUDGING}},
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Project(tmp_path, instance)


def fill(project: Project, cheap: int, held_out: int = 0, expensive: int = 0) -> None:
    """Write splits: numbers of training rows below $500, of test rows below $500, and of training rows above."""
    sides = [("train", 100.0)] * cheap + [("test", 100.0)] * held_out + [("train", 900.0)] * expensive
    hashes = [store_image(project.lake, Image.fromarray(image)) for image in draw_images(len(sides))]
    rows = [
        {"site": "stockx", "product_id": f"p{i}", "sha256": sha, "twin_group": sha, "price": price, "split": side}
        for i, ((side, price), sha) in enumerate(zip(sides, hashes, strict=True))
    ]
    table = Splits.validate(pd.DataFrame(rows, columns=list(Splits.to_schema().columns)))
    write_table(project.lake.table("splits"), table)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, tuple[bool, dict[str, Any]]]:
    evaluations = result.get_asset_check_evaluations()
    assert all(found.severity == dg.AssetCheckSeverity.WARN for found in evaluations if not found.passed)
    return {
        found.check_name: (found.passed, {name: value.value for name, value in found.metadata.items()})
        for found in evaluations
    }


@pytest.mark.parametrize("count", [0, 1])
def test_empty_band_is_skipped_with_a_warning(project: Project, count: int, capfd: pytest.CaptureFixture[str]) -> None:
    fill(project, cheap=9, expensive=count)
    result = project.run("train_gan", "expensive", CONFIG)
    assert result.success
    assert metadata(result) == {}
    assert checks(result) == {"enough_images": (False, {"images": count, "batch_size": 8})}
    assert f"this price band has {count} image" in capfd.readouterr().err
    assert not project.lake.folder("gan").exists()


def test_band_smaller_than_a_batch_is_trained_but_not_evaluated(project: Project) -> None:
    fill(project, cheap=3)
    result = project.run("train_gan", "cheap", CONFIG)
    assert list(metadata(result)) == ["gan_checkpoints"]
    found = checks(result)
    assert found.pop("enough_images") == (False, {"images": 3, "batch_size": 8})
    assert set(found) == {"no_mode_collapse", "no_copies", "no_divergence"}
    for passed, details in found.values():
        assert not passed
        assert details == {"skipped": "3 images are too few to compare: at least 8 are needed"}
    assert not project.lake.table("gan_evaluation", "cheap").exists()


def test_band_is_evaluated_sampled_and_compared(project: Project) -> None:
    fill(project, cheap=16, held_out=8, expensive=8)
    result = project.run("train_gan", "cheap", CONFIG)
    table = project.table("gan_evaluation", "cheap").set_index("population")
    assert table["n"].to_dict() == {"generated": 16, "held_out": 8, "training": 16}
    assert set(table["weights"]) == {"random (seed 0): nothing was learned from photographs"}
    assert (project.lake.root / table["generator"].iloc[0] / "model.safetensors").exists()
    found = checks(result)
    assert set(found) == {"enough_images", "no_mode_collapse", "no_copies", "no_divergence"}
    assert found["enough_images"][0]
    assert found["no_copies"][1]["close"] == table["close"]["generated"]
    entries = metadata(result)["gan_evaluation"]
    files = [Path(str(value)) for name, value in entries.items() if name.endswith("_file")]
    assert {file.name for file in files} == {
        "nearest.png", "samples.png", "interpolation.png", "training.webp", "kid_over_epochs.png",
    }  # fmt: skip
    assert all(file.stat().st_size for file in files)
    assert all(len(str(value)) < 30_000 for value in entries.values())

    compared = metadata(project.run("compare_bands"))["gan_colour_comparison"]
    assert Path(str(compared["bands_file"])).exists()
    assert project.table("gan_colour_comparison")["population"].tolist() == ["generated", "training"]


def test_recipe_is_applied_and_test_rows_are_not_trained_on(project: Project) -> None:
    fill(project, cheap=9, held_out=5)
    gan = {**GAN, **JUDGING, "epochs": 1, "recipe": "article", "generator_lr": 1e-3, "kid_samples": 0}
    result = project.run("train_gan", "cheap", {**CONFIG, "gan_checkpoints": {"config": gan}})
    folder = project.lake.root / str(
        read_json(project.lake.table("gan_checkpoints", "cheap").with_suffix(".json"))["folder"]
    )
    config = read_json(folder / "generator" / "config.json")
    assert (config["generator_lr"], config["discriminator_lr"], config["augment"]) == (1e-3, 2e-5, False)
    assert metadata(result)["gan_checkpoints"]["images"] == 9
    assert checks(result)["no_copies"][1] == {"skipped": "the band has too few held-out images to measure closeness by"}
    assert checks(result)["no_divergence"][1] == {"skipped": "sample quality was not measured during training"}
