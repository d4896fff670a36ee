"""The champion's similarity index, and the check of other models against the champion."""

import shutil
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from sneaker_assets.assets.champion import ChampionCheckConfig, near_the_champion, similarity_index
from sneaker_assets.lake import Lake, write_table
from sneaker_assets.resources import LakeIOManager, LakeResource
from sneaker_assets.vision.pricing.similarity_index import load_similarity_index
from sneaker_assets_tests.builders import digest
from sneaker_assets_tests.champion import Champion


@pytest.fixture
def lake(champion: Champion, tmp_path: Path) -> Lake:
    """A copy of the champion's lake with its listings as a table."""
    lake = Lake.at(shutil.copytree(str(champion.lake.root), tmp_path / "lake"))
    write_table(lake.table("clean_listings"), champion.listings)
    return lake


def build(lake: Lake) -> dg.ExecuteInProcessResult:
    resource = LakeResource(root=str(lake.root))
    upstream = [dg.AssetSpec("model_leaderboard"), dg.AssetSpec("clean_listings")]
    return dg.materialize(
        [similarity_index, *upstream], resources={"lake": resource, "io_manager": LakeIOManager(lake=resource)}
    )


def test_index_covers_the_listings_and_the_previous_index_remains(champion: Champion, lake: Lake) -> None:
    folders = []
    for count in (10, 20, 30):
        write_table(lake.table("clean_listings"), champion.listings.head(count))
        assert build(lake).success
        folders.append(lake.referenced("similarity_index"))
        index = load_similarity_index(folders[-1]) if folders[-1] is not None else None
        assert index is not None
        assert index.belongs_to(champion.model)
        assert len(index.shoes) == count
    assert [folder is not None and folder.exists() for folder in folders] == [False, True, True]


def test_unchanged_listings_are_not_indexed_again(lake: Lake) -> None:
    build(lake)
    first = lake.referenced("similarity_index")
    build(lake)
    assert lake.referenced("similarity_index") == first


def test_listings_without_features_are_left_out(champion: Champion, lake: Lake) -> None:
    unknown = champion.listings.head(3).assign(sha256=[digest(name) for name in "abc"], twin_group=["a", "b", "c"])
    write_table(lake.table("clean_listings"), pd.concat([champion.listings, unknown], ignore_index=True))
    (event,) = build(lake).get_asset_materialization_events()
    assert event.materialization.metadata["shoes"].value == len(champion.listings)


@pytest.mark.parametrize(
    ("champion_backbone", "champion_rmse", "passed"),
    [("vgg16", 100.0, True), ("resnet18", 99.0, True), ("resnet18", 90.0, False)],
)
def test_only_a_clearly_worse_model_than_another_backbones_champion_fails(
    champion_backbone: str, champion_rmse: float, *, passed: bool
) -> None:
    metrics = pd.DataFrame(
        {
            "backbone": "vgg16",
            "predictor": ["model", "mean", "model"],
            "split": ["validation", "validation", "test"],
            "group": "all",
            "rmse": [100.0, 300.0, 500.0],
        }
    )
    board = pd.DataFrame(
        {"backbone": [champion_backbone, "x"], "champion": [True, False], "validation_rmse": [champion_rmse, 1.0]}
    )
    config = ChampionCheckConfig(margin=0.05)
    compared = near_the_champion(evaluation_metrics=metrics, model_leaderboard=board, config=config)
    assert isinstance(compared, dg.AssetCheckResult)
    assert compared.passed is passed
    alone = near_the_champion(evaluation_metrics=metrics, model_leaderboard=None, config=config)
    assert isinstance(alone, dg.AssetCheckResult)
    assert alone.passed
