import numpy as np
import pandas as pd
import pytest

from sneaker_assets.lake import Lake
from sneaker_assets.market.splits import assign_splits
from sneaker_assets.tables import LeakReport, OutlierAblation
from sneaker_assets.vision.evaluation.metrics import NoTestRowsError
from sneaker_assets.vision.evaluation.studies import leak_report, outlier_ablation, score_split
from sneaker_assets.vision.features.store import FeatureStore
from sneaker_assets.vision.settings import HeadSettings
from sneaker_assets_tests.builders import listings

Known = tuple[FeatureStore, pd.DataFrame]


@pytest.fixture
def known(lake: Lake) -> Known:
    """Three listings of each image, whose features identify the image and carry no other information on the price."""
    rng = np.random.default_rng(0)
    images = [f"{number:064d}" for number in range(100)]
    store = FeatureStore.create(lake.folder("features"), {"backbone": "resnet18"})
    store.append(images, rng.normal(size=(100, 8)).astype(np.float32))
    prices = np.repeat(rng.uniform(100, 900, 100), 3)
    table = listings(list(prices))
    return store, table.assign(sha256=np.repeat(images, 3), twin_group=np.repeat(images, 3))


def test_leak_report_shows_that_a_random_split_rewards_memorization(known: Known) -> None:
    store, table = known
    report = LeakReport.validate(leak_report("resnet18", store, assign_splits(table)))
    grouped, random = (report[report["split"] == split] for split in ("by twin group", "by listing"))
    assert (grouped["with_twin"] == 0).all()
    assert len(set(grouped["mse"])) == 1
    on_all_rows = random[random["scored_on"] == "all"].set_index("predictor")
    assert on_all_rows["with_twin"].gt(0).all()
    assert on_all_rows["mse"].idxmin() == "twin's price, else ridge"


def test_score_split_omits_the_case_without_near_duplicates_when_every_test_row_has_one(known: Known) -> None:
    store, table = known
    sides = np.tile(["train", "validation", "test"], 100)
    records = score_split(store, table.assign(split=sides))
    assert [record["scored_on"] for record in records] == ["all", "all"]
    assert {record["with_twin"] for record in records} == {100}
    assert records[1]["mse"] == pytest.approx(0)


def test_leak_report_fails_without_test_rows(known: Known) -> None:
    store, table = known
    splits = assign_splits(table)
    with pytest.raises(NoTestRowsError, match="none of the 300 listings is in the test split"):
        leak_report("resnet18", store, splits.assign(split=splits["split"].replace("test", "train")))


def test_outlier_ablation_scores_both_models_on_both_populations(known: Known) -> None:
    store, table = known
    with_outliers = table.assign(price=table["price"].where(table.index % 30 > 2, 9000.0))
    clean = with_outliers[with_outliers["price"] < 1000].reset_index(drop=True)
    ablation = outlier_ablation("resnet18", store, with_outliers, clean, HeadSettings(epochs=5, hidden=8))
    assert {name: len(trained.history) for name, trained in ablation.trained.items()} == {"all": 5, "clean": 5}
    scores = OutlierAblation.validate(ablation.scores)
    assert len(scores.drop_duplicates(["trained_on", "scored_on"])) == 4
    lowest = scores.groupby("scored_on")["mse"].min()
    assert lowest["all"] > 5 * lowest["clean"]
