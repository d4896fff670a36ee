import dagster as dg
import pandas as pd
import pytest

from sneaker_assets.assets.evaluation_checks import check_fifths, evaluation_checks


@pytest.mark.parametrize(
    ("coverage", "rows", "passed"),
    [
        ([0.9, 0.86, 0.94, 0.9, 0.9], 366, True),
        ([0.9, 0.84, 0.94, 0.9, 0.9], 366, False),
        ([0.9, 0.9, 0.9, 0.9, 0.96], 366, False),
        ([0.9, 0.5, 1.0, 0.9, 0.9], 20, True),
    ],
)
def test_check_warns_where_the_coverage_of_a_large_fifth_is_off(coverage: list[float], rows: int, passed: bool) -> None:
    fifths = pd.DataFrame({"member": [f"fifth {n}" for n in range(1, 6)], "n": rows, "coverage": coverage})
    result = check_fifths(evaluation_checks("evaluation_metrics")[-1], fifths)
    assert result.passed is passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert "fifth 5" in str(result.metadata["coverage"].value)
