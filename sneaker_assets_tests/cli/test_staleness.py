"""Which assets of a stage the pipeline materializes, on a temporary instance and a graph of tiny assets."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from rich.console import Console
from upath import UPath

from sneaker_assets.assets.metadata import UNFINISHED
from sneaker_assets.automation.sensors import RUN_KEY_TAG
from sneaker_assets.cli.pipeline import Stage
from sneaker_assets.cli.pipeline.running import Pass
from sneaker_assets.cli.pipeline.stages import SETTING_TAG
from sneaker_assets.lake import Lake, remove_folder, write_json
from sneaker_assets.resources import LakeIOManager, LakeResource
from sneaker_assets_tests.builders import listings

pytestmark = pytest.mark.slow

SOURCE = {"prices": [100.0, 200.0], "day": 0}
"""What the root asset of the graph reads."""

TRAINING = {"unfinished": False}
"""Whether a time budget ends the training of the model before its end."""


class Settings(dg.Config):
    """Config of the model."""

    epochs: int = 1


def build(lake: Lake, model_version: str = "1") -> dg.Definitions:
    """A graph like the project's: a table read from outside, a table made of it, a folder, and a table beside it."""

    @dg.asset(code_version="1")
    def root() -> dg.Output[UPath]:
        folder = lake.folder("root", "now")
        write_json(folder / "source.json", SOURCE)
        return dg.Output(folder)

    @dg.asset(code_version="1", deps=[root])
    def clean_listings() -> pd.DataFrame:
        seen = pd.Timestamp("2020-09-24", tz="UTC") + pd.Timedelta(days=SOURCE["day"])  # type: ignore[arg-type]
        return listings(SOURCE["prices"]).assign(observed_at=seen.as_unit("us"))  # type: ignore[arg-type]

    @dg.asset(code_version=model_version)
    def model(clean_listings: pd.DataFrame, config: Settings) -> dg.Output[UPath]:
        folder = lake.folder("models", f"{clean_listings['price'].sum():g}-{config.epochs}-{model_version}")
        write_json(folder / "config.json", {"epochs": config.epochs})
        left = {UNFINISHED: "a minute"} if TRAINING["unfinished"] else {}
        return dg.Output(folder, metadata={"epochs": config.epochs, **left})

    @dg.asset(code_version="1", deps=[model])
    def scores() -> dg.Output[UPath]:
        folder = lake.folder("scores", "all")
        write_json(folder / "scores.json", {})
        return dg.Output(folder)

    resources = {"io_manager": LakeIOManager(lake=LakeResource(root=str(lake.root)))}
    data, train = dg.define_asset_job("data", [root, clean_listings]), dg.define_asset_job("train", [model, scores])
    return dg.Definitions([root, clean_listings, model, scores], jobs=[data, train], resources=resources)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    SOURCE.update(prices=[100.0, 200.0], day=0)
    TRAINING.update(unfinished=False)
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def materialized(
    lake: Lake, instance: dg.DagsterInstance, train: Stage | None = None, model_version: str = "1"
) -> set[str]:
    """Bring both stages up to date; returns the names of the assets that were materialized."""
    this = Pass(instance, lake, Console(quiet=True), build(lake, model_version))
    this.run([Stage("data"), train or Stage("train")])
    return {name for outcome in this.outcomes for name in outcome.metadata.keys() - outcome.up_to_date}


def test_second_pass_materializes_only_what_reads_from_outside(lake: Lake, instance: dg.DagsterInstance) -> None:
    assert materialized(lake, instance) == {"root", "clean_listings", "model", "scores"}
    assert materialized(lake, instance) == {"root"}


def test_time_of_reading_alone_does_not_train_again(lake: Lake, instance: dg.DagsterInstance) -> None:
    materialized(lake, instance)
    SOURCE["day"] = 1
    assert materialized(lake, instance) == {"root", "clean_listings"}


def test_new_content_materializes_what_depends_on_it(lake: Lake, instance: dg.DagsterInstance) -> None:
    materialized(lake, instance)
    SOURCE["prices"] = [100.0, 250.0]
    assert materialized(lake, instance) == {"root", "clean_listings", "model", "scores"}


def test_config_that_changes_and_changes_back_trains_each_time(lake: Lake, instance: dg.DagsterInstance) -> None:
    materialized(lake, instance)
    longer = Stage("train", config={"model": {"epochs": 2}})
    assert materialized(lake, instance, longer) == {"root", "model", "scores"}
    assert materialized(lake, instance, longer) == {"root"}
    assert materialized(lake, instance) == {"root", "model", "scores"}


def test_an_unfinished_training_is_continued(lake: Lake, instance: dg.DagsterInstance) -> None:
    TRAINING["unfinished"] = True
    materialized(lake, instance)
    assert materialized(lake, instance) == {"root", "model"}
    TRAINING["unfinished"] = False
    assert materialized(lake, instance) == {"root", "model"}
    assert materialized(lake, instance) == {"root"}


def test_new_code_version_materializes_its_asset(lake: Lake, instance: dg.DagsterInstance) -> None:
    materialized(lake, instance)
    assert materialized(lake, instance, model_version="2") == {"root", "model", "scores"}


@pytest.mark.parametrize("tag", [RUN_KEY_TAG, f"{SETTING_TAG}weights"])
def test_another_announcement_or_setting_materializes_the_stage(
    lake: Lake, instance: dg.DagsterInstance, tag: str
) -> None:
    materialized(lake, instance)
    changed = Stage("train", tags={tag: "other"})
    assert materialized(lake, instance, changed) == {"root", "model", "scores"}
    assert materialized(lake, instance, changed) == {"root"}


def test_deleted_table_or_folder_is_made_again_alone_where_its_content_is_the_same(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    materialized(lake, instance)
    lake.table("clean_listings").unlink()
    assert materialized(lake, instance) == {"root", "clean_listings"}
    remove_folder(lake.folder("models"))
    assert materialized(lake, instance) == {"root", "model"}
    (lake.folder("models", "300-1-1") / "config.json").write_text("{}")
    assert materialized(lake, instance) == {"root", "model"}


def test_another_lake_with_the_same_instance_is_filled(
    lake: Lake, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    everything = materialized(lake, instance)
    assert materialized(Lake.at(tmp_path / "other"), instance) == everything


def test_deleted_reference_is_written_again(lake: Lake, instance: dg.DagsterInstance) -> None:
    materialized(lake, instance)
    lake.reference("scores").unlink()
    assert materialized(lake, instance) == {"root", "scores"}


def test_outcome_of_a_stage_that_is_up_to_date_has_the_last_metadata(lake: Lake, instance: dg.DagsterInstance) -> None:
    materialized(lake, instance)
    this = Pass(instance, lake, Console(quiet=True), build(lake))
    this.run([Stage("train")])
    (outcome,) = this.outcomes
    assert outcome.seconds == 0
    assert outcome.up_to_date == {"model", "scores"}
    assert outcome.metadata["model"]["epochs"] == 1
