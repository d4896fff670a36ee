"""The GAN assets on a temporary instance, above all for bands with too few images."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from PIL import Image

from sneaker_assets.gan.generator import NoGeneratorError
from sneaker_assets.lake import read_json, write_json, write_table
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
    assert (config["generator_lr"], config["discriminator_lr"], config["augment"]) == (1e-3, 2e-5, "")
    assert metadata(result)["gan_checkpoints"]["images"] == 9
    assert checks(result)["no_copies"][1] == {"skipped": "the band has too few held-out images to measure closeness by"}
    assert checks(result)["no_divergence"][1] == {"skipped": "sample quality was not measured during training"}


def test_the_conditional_generator_is_trained_on_all_bands_and_evaluated_by_colour(project: Project) -> None:
    fill(project, cheap=16, held_out=4, expensive=8)
    config = {
        "conditional_gan_checkpoints": {"config": {**GAN, **JUDGING}},
        "conditional_gan_evaluation": {"config": {"samples": 8}},
    }
    result = project.run("train_conditional_gan", None, config)
    entries = metadata(result)
    assert entries["conditional_gan_checkpoints"]["images"] == 24
    assert entries["conditional_gan_checkpoints"]["images_without_colour"] == 0
    table = project.table("conditional_gan_evaluation")
    assert table.groupby("band")["training_images"].sum().to_dict() == {"cheap": 16, "expensive": 8}
    assert (table["n"] == 8).all()
    found = checks(result)
    assert set(found) == {"enough_images", "wanted_colours"}
    expected = (table["matching"] * table["training_images"]).sum() / 24
    assert found["wanted_colours"][1]["matching"] == pytest.approx(expected)
    files = {
        Path(str(value)).name for name, value in entries["conditional_gan_evaluation"].items() if name.endswith("_file")
    }
    assert files == {"by_condition.png", "same_noise.png"}


def test_images_without_a_shoe_are_left_out_of_the_conditional_training(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    blank = [store_image(project.lake, Image.new("RGB", (64, 64), (value, 90, 90))) for value in (80, 90)]
    rows = [
        {"site": "stockx", "product_id": sha, "sha256": sha, "twin_group": sha, "price": 100.0, "split": "train"}
        for sha in blank
    ]
    table = Splits.validate(pd.DataFrame(rows, columns=list(Splits.to_schema().columns)))
    write_table(project.lake.table("splits"), table)
    result = project.run("train_conditional_gan", None, {"conditional_gan_checkpoints": {"config": {**GAN, **JUDGING}}})
    assert metadata(result) == {}
    assert checks(result)["enough_images"] == (False, {"images": 0, "batch_size": 8})
    assert "has 0 images" in capfd.readouterr().err


def test_the_last_settings_are_kept_and_an_unfinished_training_is_continued(project: Project) -> None:
    fill(project, cheap=9)
    first = {"gan_checkpoints": {"config": {**GAN, **JUDGING, "recipe": "small", "epochs": 3, "minutes": 1e-9}}}
    entries = metadata(project.run("train_gan", "cheap", first | {"gan_evaluation": CONFIG["gan_evaluation"]}))
    begun = entries["gan_checkpoints"]
    assert (begun["epochs"], begun["epochs_wanted"]) == (1, 3)
    assert "materialize again to continue" in str(begun["unfinished"])
    again = {"gan_checkpoints": {"config": {**JUDGING, "epochs": 3, "minutes": 0}}}
    entries = metadata(project.run("train_gan", "cheap", again | {"gan_evaluation": CONFIG["gan_evaluation"]}))
    ended = entries["gan_checkpoints"]
    assert (ended["epochs"], ended["epochs_trained_now"], "unfinished" in ended) == (3, 2, False)
    assert ended["folder"] == begun["folder"], "the same run, since the settings are those of the last training"


def test_an_evaluation_after_a_band_edge_was_moved_is_refused(project: Project) -> None:
    fill(project, cheap=9)
    project.run("train_gan", "cheap", CONFIG)
    folder = project.lake.referenced("gan_checkpoints", "cheap")
    assert folder is not None
    config = read_json(folder / "generator" / "config.json")
    assert config["bands"] == {"cheap": [0.0, 500.0]}
    write_json(folder / "generator" / "config.json", config | {"bands": {"cheap": [0.0, 400.0]}})
    with pytest.raises(NoGeneratorError, match=r"was trained on \$0 to \$400, and the band is \$0 to \$500 now"):
        project.materialize("gan_evaluation", "cheap", CONFIG["gan_evaluation"]["config"])
