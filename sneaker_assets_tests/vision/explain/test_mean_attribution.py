import numpy as np
import pytest

from sneaker_assets.vision.explain.attribution import attribution_maps
from sneaker_assets.vision.explain.mean_attribution import mean_attribution_maps
from sneaker_assets_tests.champion import Champion

pytestmark = pytest.mark.slow


def test_maps_are_averaged_over_the_cheapest_and_the_most_expensive_images(champion: Champion) -> None:
    pricer, shoes = champion.pricer, champion.listings.sort_values("price", ignore_index=True)
    ((_, (cheap, expensive)),) = mean_attribution_maps(pricer, shoes.sample(frac=1, random_state=0), champion.lake, 2)
    for (pixels, attribution, caption), chosen in ((cheap, shoes.head(2)), (expensive, shoes.tail(2))):
        (images,) = pricer.read_known([champion.lake.image(sha256) for sha256 in chosen["sha256"]])
        expected = attribution_maps(pricer, (images,)).mean(axis=0)
        assert np.abs(pixels - images.mean(axis=0)).max() <= 1
        assert attribution == pytest.approx(expected, rel=1e-3, abs=1e-5)
        assert f"${chosen['price'].min():,.0f} to ${chosen['price'].max():,.0f}" in caption
    assert "the 2 cheapest" in cheap[2]
    assert "the 2 most expensive" in expensive[2]


def test_each_image_counts_once_and_no_image_is_in_both_means(champion: Champion) -> None:
    shoes = champion.listings.head(3)
    repeated = shoes.loc[[0, 0, 0, 1, 2, 2]]
    ((_, (cheap, expensive)),) = mean_attribution_maps(champion.pricer, repeated, champion.lake, 24)
    assert "the 1 cheapest" in cheap[2]
    assert "the 1 most expensive" in expensive[2]


@pytest.mark.parametrize(("n_shoes", "count"), [(1, 5), (10, 0), (0, 5)])
def test_there_are_no_maps_without_two_images(champion: Champion, n_shoes: int, count: int) -> None:
    assert mean_attribution_maps(champion.pricer, champion.listings.head(n_shoes), champion.lake, count) == []
