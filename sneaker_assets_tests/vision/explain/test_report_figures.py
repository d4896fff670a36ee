import numpy as np
import pytest

from sneaker_assets.figures import priced_shoes, to_png
from sneaker_assets.market.fees import Fees
from sneaker_assets.vision.explain.report import report_lines
from sneaker_assets.vision.explain.report_figures import explain_predictions, report_figure
from sneaker_assets_tests.champion import Champion

pytestmark = pytest.mark.slow


def test_report_figure_skips_similar_shoes_without_an_image_and_shortens_titles(champion: Champion) -> None:
    pricer, fees = champion.pricer, Fees()
    (pixels,) = pricer.read_known([champion.lake.image(champion.listings["sha256"].iloc[0])])
    (priced,) = pricer.price_pixels(pixels)
    similar = priced.similar
    similar["title"] = "A very long name of a shoe that does not fit"
    similar.loc[similar.index[1], "sha256"] = "0" * 64
    attribution = np.zeros(pixels.shape[1:3], np.float32)
    figure = report_figure(priced, "Title", pixels[0], attribution, champion.lake, retail=100.0, fees=fees)
    assert figure.title == "Title"
    assert figure.lines == report_lines(priced, 100.0, fees)
    captions = [caption for _, caption in figure.similar]
    expected = [f"${price:,.0f}\nA very long name of a shoe…" for price in similar["price"].drop(similar.index[1])]
    assert captions == expected
    assert to_png(priced_shoes([figure])).startswith(b"\x89PNG")


def test_best_and_worst_predictions_are_ranked_by_relative_error(champion: Champion) -> None:
    shoes = champion.listings.head(6)
    predictions = shoes.assign(model=shoes["price"] * [1.0, 1.1, 3.0, 1.5, 0.2, 1.2])
    groups = explain_predictions(champion.pricer, predictions, champion.lake, 2)
    assert [name for name, _ in groups] == ["Best test predictions", "Worst test predictions"]
    for (_, entries), rows in zip(groups, ((0, 1), (4, 2)), strict=True):
        assert [caption for _, _, caption in entries] == [
            f"${predictions['model'].iloc[row]:,.0f} predicted, ${predictions['price'].iloc[row]:,.0f} actual"
            for row in rows
        ]
        for pixels, attribution, _ in entries:
            assert attribution.shape == pixels.shape[:2]


def test_no_image_is_among_both_best_and_worst_predictions(champion: Champion) -> None:
    shoes = champion.listings.loc[[0, 0, 1, 2]]
    predictions = shoes.assign(model=shoes["price"] * 2)
    (_, best), (_, worst) = explain_predictions(champion.pricer, predictions, champion.lake, 2)
    assert (len(best), len(worst)) == (2, 1)
    ((name, only),) = explain_predictions(champion.pricer, predictions, champion.lake, 3)
    assert (name, len(only)) == ("Best test predictions", 3)
