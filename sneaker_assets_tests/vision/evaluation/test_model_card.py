from sneaker_assets.vision.evaluation.evaluate import BASELINES, evaluate, predict_listings
from sneaker_assets.vision.evaluation.model_card import model_card
from sneaker_assets_tests.champion import Champion


def test_card_shows_every_predictor_and_group_with_its_interval(champion: Champion) -> None:
    metrics = evaluate(champion.model, predict_listings(champion.model, champion.splits), "models/x")
    card = model_card("# Title", metrics, near_duplicates=3)
    assert card.startswith("# Title\n")
    assert "95 % intervals" in card
    assert "near duplicate in the training data: 3." in card
    for predictor in ("model", *BASELINES):
        assert f"| {predictor} " in card
        assert predictor == "model" or f"`{predictor}`" in card
    row = metrics.query("split == 'test' and group == 'all' and predictor == 'model'").iloc[0]
    assert f"${row['rmse']:,.0f} (${row['rmse_low']:,.0f} to ${row['rmse_high']:,.0f})" in card
    assert f"{row['coverage']:.1%}" in card
    for member in metrics.query("group == 'price'")["member"]:
        assert f"| {member} " in card
