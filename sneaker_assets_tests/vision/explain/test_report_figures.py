from sneaker_assets.vision.explain.report_figures import explain_predictions
from sneaker_assets_tests.champion import Champion


def test_best_and_worst_predictions_are_shown_once_each(champion: Champion) -> None:
    some = champion.listings.head(6)
    predictions = some.assign(model=some["price"] * [1.0, 1.1, 3.0, 1.5, 0.2, 1.2])
    (_, best), (_, worst) = explain_predictions(champion.pricer, predictions, champion.lake, 2)
    assert [words.split()[0] for _, _, words in best] == [f"${predictions['model'].iloc[i]:,.0f}" for i in (0, 1)]
    assert [words.split()[0] for _, _, words in worst] == [f"${predictions['model'].iloc[i]:,.0f}" for i in (4, 2)]
