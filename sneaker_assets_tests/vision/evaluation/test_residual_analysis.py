import numpy as np
import pandas as pd
import pytest

from sneaker_assets.figures import residuals_by_attribute, to_png
from sneaker_assets.tables import ResidualAttributes
from sneaker_assets.vision.evaluation.residual_analysis import residual_attributes
from sneaker_assets_tests.builders import listings


def shoes(n: int = 300) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions and listings of shoes that cost more than predicted if they are bright or of brand ``dear``."""
    rng = np.random.default_rng(0)
    red, brand = rng.uniform(0, 255, n), rng.choice(["dear", "plain", "cheap"], n)
    residual = 0.4 * (red / 255 - 0.5) + 0.5 * (brand == "dear") + rng.normal(0, 0.05, n)
    prices = 300 * np.exp(residual)
    table = listings(list(prices)).assign(
        red=red, green=red, blue=red, brand=brand, right=rng.integers(30, 41, n), bottom=rng.integers(10, 31, n)
    )
    predictions = table[["site", "product_id", "sha256", "price"]].assign(split="test", model=300.0)
    return predictions, table


def test_associated_attributes_are_distinguished_from_unrelated_ones() -> None:
    found = ResidualAttributes.validate(residual_attributes("vgg16", *shoes()))
    whole = found[found["member"] == "all"].set_index("attribute")
    value, p_value = whole["value"].astype(float), whole["p_value"].astype(float)
    assert value["brightness"] > 0.3
    assert value["brand"] > 0.6
    assert p_value[["brightness", "brand"]].max() < 1e-6
    assert abs(value["height"]) < 0.2
    assert p_value["height"] > 0.01
    fifths = found[(found["attribute"] == "brightness") & (found["measure"] == "mean_residual")]
    assert fifths["member"].tolist() == [f"fifth {number}" for number in range(1, 6)]
    assert fifths["value"].is_monotonic_increasing
    by_brand = found[found["attribute"] == "brand"].set_index("member")["value"]
    assert by_brand["dear"] - by_brand["plain"] == pytest.approx(0.5, abs=0.05)
    # Grey shoes have no saturation or warmth, and there is a single site and label kind.
    assert {"saturation", "warmth", "site", "label_kind"}.isdisjoint(whole.index)
    assert to_png(residuals_by_attribute(found)).startswith(b"\x89PNG")


def test_only_test_rows_are_analysed() -> None:
    predictions, table = shoes()
    halves = predictions.assign(split=np.where(np.arange(len(predictions)) < 150, "validation", "test"))
    found = residual_attributes("vgg16", halves, table)
    assert found.loc[found["attribute"] == "brightness", "n"].iloc[0] == 150


@pytest.mark.filterwarnings("ignore:Each of the input arrays is constant")
def test_perfect_predictions_have_no_association() -> None:
    predictions, table = shoes()
    found = ResidualAttributes.validate(residual_attributes("vgg16", predictions.assign(model=table["price"]), table))
    assert "spearman" not in set(found["measure"])
    assert (found["value"] == 0).all()
