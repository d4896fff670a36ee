"""Today's code on a lake that was made before lakes had a format; ``fixtures/lakes`` says how it was made."""

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from sneaker_assets import tables
from sneaker_assets.cli import price
from sneaker_assets.definitions import build_definitions
from sneaker_assets.lake import Lake, read_json, read_table
from sneaker_assets.resources import LakeIOManager, LakeResource, ListingSourceResource
from sneaker_assets.vision.backbones.backbone import load_backbone

ARCHIVE = Path(__file__).parent / "fixtures" / "lakes" / "format_1.tar.gz"
BACKBONE = "resnet18"
MODEL = "models/resnet18/997aa4b37083"
RUNS: list[tuple[str, str | None, dict[str, Any]]] = [
    ("build_data_set", None, {}),
    # The frame of the lake, which was the default.
    (
        "train_price_model",
        BACKBONE,
        {"image_features": {"height": 224, "width": 224}, "price_model": {"kind": "ridge"}, "evaluation_metrics": {}},
    ),
    ("rank_models", None, {}),
]
RECOMPUTED = {"image_properties"}
"""Tables whose rows are recomputed when their columns change, so an earlier one need not have today's columns."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier") / "lake"
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def earlier(unpacked: Path, tmp_path: Path) -> Path:
    """A copy of the lake that nobody has opened yet."""
    return Path(shutil.copytree(unpacked, tmp_path / "lake"))


@pytest.fixture
def known_weights(unpacked: Path) -> None:
    """Skip where this platform initialises a random network differently than the one that made the lake."""
    config = json.loads((unpacked / MODEL / "config.json").read_text())
    if load_backbone(BACKBONE, "none").fingerprint != config["features"]["fingerprint"]:
        pytest.skip("random weights differ on this platform")


def stored_tables(lake: Lake) -> Iterator[tuple[str, str | None]]:
    for path in (lake.root / "tables").rglob("*.parquet"):
        name = path.relative_to(lake.root / "tables")
        yield (name.stem, None) if len(name.parts) == 1 else (name.parts[0], name.stem)


def run_all(lake: Lake) -> dict[str, dict[str, Any]]:
    """Run everything after the crawl again; returns the metadata of each asset."""
    resource = LakeResource(root=str(lake.root))
    definitions = build_definitions(
        {
            "lake": resource,
            "io_manager": LakeIOManager(lake=resource),
            "listing_source": ListingSourceResource(source="demo"),
        }
    )
    metadata = {}
    with dg.DagsterInstance.ephemeral() as instance:
        for job, partition, ops in RUNS:
            result = definitions.resolve_job_def(job).execute_in_process(
                partition_key=partition,
                instance=instance,
                run_config={"ops": {asset: {"config": config} for asset, config in ops.items()}},
            )
            for event in result.get_asset_materialization_events():
                values = {name: value.value for name, value in event.materialization.metadata.items()}
                metadata[str(event.asset_key and event.asset_key.to_user_string())] = values
    return metadata


def test_every_stored_table_is_valid_today(earlier: Path) -> None:
    lake = Lake.at(earlier)
    found = set(stored_tables(lake))
    assert len({name for name, _ in found}) > 15
    for name, partition in found:
        table = read_table(lake.table(name, partition))
        if name not in RECOMPUTED:
            tables.SCHEMAS[name].validate(table)


@pytest.mark.usefixtures("known_weights")
def test_the_champion_prices_a_picture_with_similar_shoes(
    earlier: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SNEAKER_LAKE", str(earlier))
    monkeypatch.delenv("SNEAKER_WEIGHTS", raising=False)
    listing = read_table(Lake.at(earlier).table("clean_listings")).iloc[0]
    photo = earlier.parent / "photo.jpg"
    photo.write_bytes(Lake.at(earlier).image(listing["sha256"]).read_bytes())
    assert price.main(["--json", str(photo)]) == 0
    priced = json.loads(capsys.readouterr().out)
    assert priced["model"] == MODEL.rsplit("/", 1)[1]
    assert priced["price_low"] <= priced["predicted_price"] <= priced["price_high"]
    assert len(priced["similar"]) == 5
    assert priced["similar"][0]["product_id"] == listing["product_id"]


@pytest.mark.slow
@pytest.mark.usefixtures("known_weights")
def test_running_again_keeps_every_row_and_the_champion(earlier: Path) -> None:
    before = {name: read_table(Lake.at(earlier).table(name)) for name in ("listings", "clean_listings", "splits")}
    lake = Lake.at(earlier)
    metadata = run_all(lake)
    for name, table in before.items():
        pd.testing.assert_frame_equal(read_table(lake.table(name))[table.columns], table)
    assert metadata["image_features"]["new_images"] == 0
    # The code that trains models has another version since: one model is trained, and the earlier one keeps its place.
    assert metadata["price_model"]["trained_now"] is True
    board = read_table(lake.table("model_leaderboard"))
    assert board.loc[board["champion"], "model"].tolist() == [MODEL]
    index = lake.referenced("similarity_index")
    assert index is not None
    assert read_json(index / "config.json")["model"] == MODEL
    assert run_all(lake)["price_model"]["trained_now"] is False
