import numpy as np
import pandas as pd
import pytest

from sneaker_assets.tables import EvaluationMetrics
from sneaker_assets.vision.evaluation.evaluate import (
    BASELINES,
    count_near_duplicates_in_train,
    evaluate,
    predict_listings,
    rmse_by_split,
)
from sneaker_assets.vision.evaluation.metrics import NoTestRowsError, regression_metrics
from sneaker_assets_tests.champion import Champion


@pytest.fixture(scope="module")
def predictions(champion: Champion) -> pd.DataFrame:
    return predict_listings(champion.model, champion.splits)


def test_baselines_use_only_training_prices(champion: Champion, predictions: pd.DataFrame) -> None:
    train = champion.splits[champion.splits["split"] == "train"]
    assert set(predictions["split"]) == {"validation", "test"}
    assert predictions["mean"].unique() == pytest.approx([train["price"].mean()])
    assert predictions["median"].unique() == pytest.approx([train["price"].median()])
    assert predictions["nearest_neighbour"].isin(train["price"]).all()
    elsewhere = predict_listings(champion.model, champion.splits.assign(site=champion.splits["split"] + " site"))
    assert (elsewhere["site_median"] == elsewhere["median"]).all(), (
        "a site without training rows has the overall median"
    )


def test_nearest_neighbour_takes_the_price_of_the_most_similar_training_image(
    champion: Champion, predictions: pd.DataFrame
) -> None:
    train = champion.splits[champion.splits["split"] == "train"]
    known, queries = (champion.store.gather(rows["sha256"].tolist()) for rows in (train, predictions))
    known, queries = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (known, queries))
    expected = train["price"].to_numpy()[(queries @ known.T).argmax(axis=1)]
    assert (predictions["nearest_neighbour"] == expected).mean() > 0.95


def test_covered_marks_prices_within_the_models_interval(champion: Champion, predictions: pd.DataFrame) -> None:
    low, high = champion.model.interval.bounds(predictions["model"].to_numpy())
    inside = predictions["price"].between(low * (1 - 1e-9), high * (1 + 1e-9))
    assert predictions["covered"].tolist() == inside.tolist()


def test_metrics_have_one_row_per_predictor_split_and_group(champion: Champion, predictions: pd.DataFrame) -> None:
    table = EvaluationMetrics.validate(evaluate(champion.model, predictions, "models/x"))
    overall = table[table["group"] == "all"]
    assert sorted(overall["predictor"] + overall["split"]) == sorted(
        predictor + split for predictor in ("model", *BASELINES) for split in ("validation", "test")
    )
    grouped = table[table["group"] != "all"]
    assert set(grouped["group"]) == {"site", "price", "price_band", "predicted_price"}
    assert (grouped["split"] == "test").all()
    assert (grouped.groupby("group")["n"].sum() == (predictions["split"] == "test").sum()).all()
    assert table["coverage"].notna().equals(table["predictor"] == "model")


def test_fifths_of_the_predicted_price_have_equal_sizes_and_their_own_coverage(
    champion: Champion, predictions: pd.DataFrame
) -> None:
    repeated = pd.concat([predictions[predictions["split"] == "test"]] * 10, ignore_index=True)
    table = evaluate(champion.model, repeated, "models/x")
    fifths = table[table["group"] == "predicted_price"].set_index("member")
    assert fifths.index.tolist() == [f"fifth {number}" for number in range(1, 6)]
    assert fifths["n"].max() - fifths["n"].min() <= 1
    lowest = repeated.sort_values("model", kind="stable").head(int(fifths["n"].iloc[0]))
    assert fifths["coverage"].iloc[0] == pytest.approx(lowest["covered"].mean(), abs=0.2)


def test_nearest_neighbour_is_the_same_in_blocks(
    champion: Champion, predictions: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sneaker_assets.vision.evaluation.evaluate._BLOCK", 100)
    again = predict_listings(champion.model, champion.splits)
    assert (again["nearest_neighbour"] == predictions["nearest_neighbour"]).mean() > 0.95


def test_label_kinds_are_a_group_when_they_are_given(champion: Champion, predictions: pd.DataFrame) -> None:
    kinds = np.where(np.arange(len(predictions)) % 2, "last_sale", "list")
    table = evaluate(champion.model, predictions.assign(label_kind=kinds), "models/x")
    assert set(table.loc[table["group"] == "label_kind", "member"]) == {"last_sale", "list"}


def test_rmse_by_split_reads_the_overall_rows(champion: Champion, predictions: pd.DataFrame) -> None:
    rmse = rmse_by_split(evaluate(champion.model, predictions, "models/x"))
    test = predictions[predictions["split"] == "test"]
    expected = regression_metrics(test["price"].to_numpy(), test["model"].to_numpy())["rmse"]
    assert rmse["test"]["model"] == pytest.approx(expected)
    assert set(rmse["validation"]) == {"model", *BASELINES}


def test_predictions_fail_without_test_rows(champion: Champion) -> None:
    with pytest.raises(NoTestRowsError, match="is in the test split"):
        predict_listings(champion.model, champion.splits.assign(split="train"))


def test_near_duplicates_in_train_are_counted_by_test_row() -> None:
    splits = pd.DataFrame(
        {
            "split": ["train", "train", "test", "test", "test", "validation"],
            "twin_group": ["a", "b", "a", "a", "c", "b"],
        }
    )
    assert count_near_duplicates_in_train(splits) == 2
    assert count_near_duplicates_in_train(splits[splits["twin_group"] != "a"]) == 0
