"""The definitions as Dagster loads them, and the import boundaries between the layers."""

import dataclasses
import os
import runpy
import subprocess
import sys
from collections import Counter
from pathlib import Path

import dagster as dg
import pytest

import sneaker_assets
from sneaker_assets import tables
from sneaker_assets.assets import groups, partitions
from sneaker_assets.assets.metadata import code_version
from sneaker_assets.assets.partitions import SITES
from sneaker_assets.automation.schedules import schedule_name
from sneaker_assets.definitions import defs
from sneaker_assets.vision.backbones.architectures import BACKBONES, Architecture

UPSTREAM = {
    "raw_scrapes": set(),
    "scraped_images": {"raw_scrapes"},
    "fx_rates": set(),
    "price_observations": {"raw_scrapes", "fx_rates"},
    "image_properties": {"raw_scrapes", "scraped_images"},
    "price_trends": {"price_observations"},
    "listings": {"raw_scrapes", "price_observations", "scraped_images", "image_properties"},
    "shoes": {"raw_scrapes", "price_observations", "scraped_images", "image_properties"},
    "clean_listings": {"listings", "raw_scrapes"},
    "removed_listings": {"listings", "raw_scrapes"},
    "price_fences": {"listings", "raw_scrapes"},
    "twin_conflicts": {"listings", "raw_scrapes"},
    "price_statistics": {"listings", "clean_listings", "price_fences"},
    "splits": {"clean_listings"},
    "image_features": {"scraped_images"},
    "tuned_hyperparameters": {"image_features", "splits"},
    "finetuned_price_model": {"image_features", "splits"},
    "residual_attributes": {"price_model", "image_features", "splits", "clean_listings"},
    "exported_model": {"price_model", "splits"},
    "price_model": {"image_features", "splits", "tuned_hyperparameters"},
    "evaluation_metrics": {"price_model", "image_features", "splits", "clean_listings"},
    "leak_report": {"image_features", "splits"},
    "outlier_ablation": {"image_features", "listings", "clean_listings"},
    "training_size_curve": {"price_model", "image_features", "splits"},
    "finetuned_evaluation": {"finetuned_price_model", "splits", "clean_listings"},
    "ensemble_price_model": {"price_model", "finetuned_price_model", "splits"},
    "ensemble_evaluation": {"ensemble_price_model", "splits", "clean_listings"},
    "model_leaderboard": {"evaluation_metrics", "finetuned_evaluation", "ensemble_evaluation", "splits"},
    "trained_rows": {"price_model", "splits"},
    "gan_checkpoints": {"splits"},
    "gan_evaluation": {"gan_checkpoints", "splits"},
    "gan_colour_comparison": {"gan_evaluation"},
    "conditional_gan_checkpoints": {"splits"},
    "conditional_gan_evaluation": {"conditional_gan_checkpoints"},
    "releases": {"fx_rates"},
    "similarity_index": {"model_leaderboard", "clean_listings"},
    "release_predictions": {"releases", "model_leaderboard", "similarity_index"},
    "prediction_backtest": {"release_predictions", "price_observations", "raw_scrapes"},
    "release_replay": {"image_features", "listings", "price_observations"},
}


PACKAGE = Path(sneaker_assets.__file__).parent
DAGSTER_LAYER = {"definitions", "pipeline", "automation", "assets", "resources"}
STAGES = {value for name, value in vars(groups).items() if name.isupper()}
WITHOUT_JOB: set[str] = set()
"""Assets that no job materializes, on purpose."""

IN_TWO_JOBS = {"fx_rates", "price_observations", "price_trends"}
"""Assets of `build_data_set` that `build_price_history` materializes without pictures."""

SPECS = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_the_graph_has_the_designed_edges() -> None:
    found = {name: {dependency.asset_key.to_user_string() for dependency in spec.deps} for name, spec in SPECS.items()}
    assert found == UPSTREAM


@pytest.mark.parametrize("name", UPSTREAM)
def test_every_asset_has_description_owner_group_kind_and_code_version(name: str) -> None:
    spec = SPECS[name]
    assert spec.description
    assert spec.owners
    assert spec.group_name in STAGES
    assert spec.kinds
    assert spec.code_version


def test_every_asset_belongs_to_one_job_and_the_price_history_to_two() -> None:
    jobs = [job for job in defs.get_repository_def().get_all_jobs() if not job.name.startswith("__")]
    members = Counter(key.to_user_string() for job in jobs for key in job.asset_layer.selected_asset_keys)
    assert members == Counter(set(SPECS) - WITHOUT_JOB) + Counter(IN_TWO_JOBS)


def test_groups_are_not_named_like_assets() -> None:
    assert STAGES.isdisjoint(SPECS)


def test_every_group_has_assets() -> None:
    assert {spec.group_name for spec in SPECS.values()} == STAGES


def test_the_code_version_of_a_table_covers_its_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    before, columns = code_version("splits", "1"), tables.columns_by_asset()
    added = dataclasses.replace(columns["splits"][0], name="added")
    monkeypatch.setattr(tables, "columns_by_asset", lambda: {**columns, "splits": (*columns["splits"], added)})
    assert code_version("splits", "1") != before
    assert code_version("splits", "2") != code_version("splits", "1")


@pytest.mark.parametrize("name", tables.SCHEMAS)
def test_every_table_declares_its_columns_with_descriptions(name: str) -> None:
    columns = SPECS[name].metadata["dagster/column_schema"].columns
    assert [column.name for column in columns] == list(tables.SCHEMAS[name].to_schema().columns)
    assert all(column.description for column in columns)


def test_every_job_schedule_and_sensor_resolves() -> None:
    repository = defs.get_repository_def()
    assert {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")} == {
        "crawl_site", "build_price_history", "build_data_set", "train_price_model", "tune_price_model",
        "finetune_price_model", "export_model", "explain_price_model", "rank_models", "train_gan", "price_release",
        "compare_bands", "train_conditional_gan", "backtest_predictions", "replay_releases",
    }  # fmt: skip
    assert {schedule.name for schedule in repository.schedule_defs} == set(map(schedule_name, SITES))
    assert all(s.default_status == dg.DefaultScheduleStatus.STOPPED for s in repository.schedule_defs)
    running = {
        sensor.name: sensor.default_status == dg.DefaultSensorStatus.RUNNING for sensor in repository.sensor_defs
    }
    assert running == {"new_releases": False, "follow_changes": False, "run_failures": True, "alerts": True}


def test_price_bands_of_the_environment_are_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    def bands(edges: str) -> list[str]:
        monkeypatch.setenv("SNEAKER_BANDS", edges)
        found: list[str] = runpy.run_path(partitions.__file__)["band_partitions"].get_partition_keys()
        return found

    assert bands("") == ["cheap", "expensive"]
    assert bands("200,500") == ["0-200", "200-500", "500+"]
    with pytest.raises(ValueError, match="SNEAKER_BANDS='dear': it must be"):
        bands("dear")


def test_backbones_of_the_environment_are_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    def backbones(names: str) -> list[str]:
        monkeypatch.setenv("SNEAKER_BACKBONES", names)
        found: list[str] = runpy.run_path(partitions.__file__)["backbone_partitions"].get_partition_keys()
        return found

    assert backbones("") == ["vgg16", "efficientnet_lite0"]
    assert backbones("mobilenet_v2, vgg16") == ["mobilenet_v2", "vgg16"]
    monkeypatch.setitem(BACKBONES, "regnety_002", Architecture("regnety_002", "timm"))
    assert backbones("regnety_002") == ["regnety_002"]
    with pytest.raises(ValueError, match="SNEAKER_BACKBONES='vgg61': unknown backbone 'vgg61': did you mean vgg16"):
        backbones("vgg61")


@pytest.mark.slow
def test_the_domain_does_not_import_dagster() -> None:
    files = [file.relative_to(PACKAGE).with_suffix("") for file in PACKAGE.rglob("*.py")]
    modules = [".".join(("sneaker_assets", *file.parts)) for file in files if not DAGSTER_LAYER & {*file.parts}]
    assert len(modules) > 100
    code = (
        "import sys, importlib; [importlib.import_module(m) for m in sys.argv[1:]]; assert 'dagster' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code, *modules], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_dagster_validates_the_workspace(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    dagster = Path(sys.executable).with_name("dagster")
    result = subprocess.run(
        [str(dagster), "definitions", "validate", "-w", str(root / "workspace.yaml")],
        check=False, capture_output=True, text=True, cwd=root, env=os.environ | {"DAGSTER_HOME": str(tmp_path)},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "Validation successful" in result.stderr + result.stdout
