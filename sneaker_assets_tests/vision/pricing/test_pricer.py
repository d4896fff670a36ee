from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sneaker_assets.lake import Lake
from sneaker_assets.torch_utils.device import DeviceError
from sneaker_assets.vision.imaging.decoding import Pixels, UnreadableImageError, read_image
from sneaker_assets.vision.imaging.encoding import png_bytes
from sneaker_assets.vision.pricing import pricer as pricing
from sneaker_assets.vision.pricing.price_model import price_images
from sneaker_assets.vision.pricing.pricer import NoChampionError, Pricer, champion_folder, load_champion
from sneaker_assets_tests.builders import drawn_shoe
from sneaker_assets_tests.champion import CPU, Champion


def pixels_of(champion: Champion, hashes: list[str]) -> Pixels:
    return np.stack([read_image(champion.lake.image(sha256), champion.model.frame) for sha256 in hashes])


def test_pictures_are_priced_with_interval_and_similar_shoes(champion: Champion) -> None:
    pricer = champion.pricer
    shoes = champion.listings.head(3)
    priced = pricer.price_pixels(pixels_of(champion, shoes["sha256"].tolist()))
    files = [champion.lake.image(sha256) for sha256 in shoes["sha256"]]
    assert [one.price for one in priced] == pytest.approx(price_images(champion.model, files, None, CPU), rel=1e-3)
    for one, sha256 in zip(priced, shoes["sha256"], strict=True):
        low, high = champion.model.interval.bounds(np.array([one.price]))
        assert (one.low, one.high) == pytest.approx((*low, *high))
        assert one.similar["sha256"].iloc[0] == sha256
        assert one.similar["similarity"].iloc[0] == pytest.approx(1, abs=1e-2)
        assert one.similar["similarity"].is_monotonic_decreasing
        assert len(one.similar) == 5


def test_a_picture_priced_below_the_floor_before_clipping_is_implausible(champion: Champion) -> None:
    pricer = champion.pricer
    pixels = pixels_of(champion, champion.listings["sha256"].head(1).tolist())
    assert pricer.price_pixels(pixels)[0].is_plausible
    pricer.model.members[0].head.target_mean -= 1e6
    (priced,) = pricer.price_pixels(pixels)
    assert not priced.is_plausible
    assert priced.price == pytest.approx(champion.model.config["price_range"][0])


def test_faiss_and_torch_share_a_process(champion: Champion) -> None:
    """Each has its own OpenMP runtime: alternating between them on several threads must not crash or change results."""
    pricer, pixels = champion.pricer, pixels_of(champion, champion.listings["sha256"].head(1).tolist())
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        answers = {(one.price, tuple(one.similar["sha256"])) for _ in range(5) for one in pricer.price_pixels(pixels)}
    finally:
        torch.set_num_threads(threads)
    assert len(answers) == 1


def test_a_lake_without_a_champion_is_refused(lake: Lake) -> None:
    with pytest.raises(NoChampionError, match=r"no champion yet: run make demo, materialize model_leaderboard"):
        champion_folder(lake)
    with pytest.raises(NoChampionError, match="no longer exists: materialize price_model again"):
        Pricer.load(lake.root / "models" / "gone", None, CPU)


def test_files_contents_and_arrays_of_a_picture_have_the_same_price(champion: Champion, tmp_path: Path) -> None:
    pixels = np.asarray(drawn_shoe().convert("RGB"))
    file = tmp_path / "shoe.png"
    file.write_bytes(png_bytes(Image.fromarray(pixels)))
    pricer = champion.pricer
    prices = [priced.price for priced in pricer.price_many([file, str(file), file.read_bytes(), pixels])]
    assert prices == pytest.approx([pricer.price(file).price] * 4, rel=1e-6)


def test_many_pictures_are_priced_in_order_over_several_batches(
    champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pricing, "BATCH", 2)
    shades = [np.full((24, 48, 3), shade, np.uint8) for shade in (40, 200, 80, 160, 120)]
    prices = [priced.price for priced in champion.pricer.price_many(iter(shades))]
    assert np.argsort(prices).tolist() == [0, 2, 4, 3, 1]
    assert champion.pricer.price_many([]) == []


def test_an_unreadable_picture_is_named(champion: Champion, tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match=r"nowhere\.jpg does not exist"):
        champion.pricer.price(tmp_path / "nowhere.jpg")
    with pytest.raises(UnreadableImageError, match="picture 2 is not a JPEG"):
        champion.pricer.price_many([np.full((24, 48, 3), 90, np.uint8), b"text"])


def test_a_champion_is_loaded_from_a_lake_or_its_path(champion: Champion) -> None:
    opened = load_champion(champion.lake, device="cpu")
    assert opened.model.folder == champion.model.folder
    by_path = load_champion(str(champion.lake.root), device="cpu")
    grey = np.full((24, 48, 3), 120, np.uint8)
    assert opened.price(grey).price == by_path.price(grey).price
    with pytest.raises(DeviceError, match="unknown device 'tpu'"):
        load_champion(champion.lake, device="tpu")
