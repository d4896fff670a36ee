"""Checks of an evaluation on held-out rows, which that of each backbone's model and that of the ensemble share."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from sneaker_assets.assets.checks import check_result, warning_check
from sneaker_assets.assets.metadata import preview

MIN_FIFTH = 100
"""Minimum number of test rows of a checked fifth: with fewer, 5 % are less than two standard errors of the coverage."""


def evaluation_checks(asset: str) -> tuple[dg.AssetCheckSpec, ...]:
    """Specifications of the checks of an evaluation.

    Args:
        asset: Name of the asset, whose table is ``tables.EvaluationMetrics``.
    """
    return (
        warning_check(
            asset,
            "beats_the_mean",
            "The test error is below that of predicting the mean of the training prices.",
        ),
        warning_check(asset, "no_leak", "No test row has a near duplicate in train."),
        warning_check(asset, "coverage", "90 % prediction intervals contain between 87 and 93 % of the test prices."),
        warning_check(
            asset,
            "coverage_by_predicted_price",
            "90 % prediction intervals contain between 85 and 95 % of the test prices in each fifth of the predicted "
            f"price with at least {MIN_FIFTH} rows.",
        ),
    )


def check_evaluation(asset: str, table: pd.DataFrame, leaks: int) -> Iterator[dg.AssetCheckResult]:
    """Results of the checks of an evaluation.

    Args:
        asset: Name of the asset.
        table: ``tables.EvaluationMetrics``.
        leaks: Number of test rows with a near duplicate in train.
    """
    baseline, leak, in_range, by_fifth = evaluation_checks(asset)
    overall = table[table["group"] == "all"]
    models = overall[overall["predictor"] == "model"].set_index("split")
    mses = overall[overall["split"] == "test"].set_index("predictor")["mse"].astype(float)
    coverage = float(models["coverage"].astype(float)["test"])
    model_mse, mean_mse = float(mses["model"]), float(mses["mean"])
    yield check_result(baseline, model_mse < mean_mse, model_mse=model_mse, mean_mse=mean_mse)
    yield check_result(
        leak, leaks == 0, severity=dg.AssetCheckSeverity.ERROR, test_rows_with_near_duplicate_in_train=leaks
    )
    yield check_result(in_range, 0.87 <= coverage <= 0.93, coverage=coverage)
    yield check_fifths(by_fifth, table[table["group"] == "predicted_price"])


def check_fifths(check: dg.AssetCheckSpec, fifths: pd.DataFrame) -> dg.AssetCheckResult:
    """Result of the check of the coverage by fifth, on the fifths that have enough rows.

    Args:
        check: The check.
        fifths: Rows of ``tables.EvaluationMetrics`` of the group ``predicted_price``.
    """
    checked = fifths[fifths["n"] >= MIN_FIFTH]
    passed = bool(checked["coverage"].astype(float).between(0.85, 0.95).all())
    return check_result(check, passed, coverage=preview(fifths, ["member", "n", "coverage"]))
