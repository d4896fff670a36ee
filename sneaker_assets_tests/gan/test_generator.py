from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from sneaker_assets.gan.generator import Generator, NoGeneratorError
from sneaker_assets.gan.sampling import GeneratorError
from sneaker_assets.gan.training import train_gan
from sneaker_assets.lake import Lake, write_json
from sneaker_assets.market.bands import price_bands
from sneaker_assets_tests.gan.conftest import CPU, SMALL, draw_images


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with a generator of cheap shoes."""
    lake = Lake.at(tmp_path_factory.mktemp("lake"))
    train_gan(draw_images(8), SMALL.with_changes(epochs=1), lake.folder("gan", "cheap", "abc"), CPU)
    write_json(lake.table("gan_checkpoints", "cheap").with_suffix(".json"), {"folder": "gan/cheap/abc"})
    return lake


def test_a_generator_is_loaded_by_band_or_folder_and_samples_the_same_images(trained: Lake) -> None:
    by_band = Generator.of_band(str(trained.root), "cheap", device="cpu")
    by_folder = Generator.load(trained.folder("gan", "cheap", "abc", "generator"), device="cpu")
    images = by_band.sample(3, seed=7)
    assert images.shape == (3, 64, 64, 3)
    assert images.dtype == np.uint8
    assert np.array_equal(images, by_folder.sample(3, seed=7))
    assert not np.array_equal(images, by_folder.sample(3, seed=8))


def test_an_untrained_band_lists_the_trained_ones(trained: Lake, tmp_path: Path) -> None:
    with pytest.raises(NoGeneratorError, match=r"no generator for the price band 'luxury' .*there are: cheap"):
        Generator.of_band(trained, "luxury")
    with pytest.raises(NoGeneratorError, match="materialize gan_checkpoints first"):
        Generator.of_band(tmp_path, "cheap")


def test_a_folder_without_a_generator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="train one first"):
        Generator.load(UPath(tmp_path))


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (
            (400.0,),
            r"'cheap' was trained on \$0 to \$500, and the band is \$0 to \$400 now: train it again, or restore",
        ),
        ((200.0, 500.0), "and the band no longer exists"),
    ],
)
def test_a_moved_band_edge_is_refused(trained: Lake, tmp_path: Path, edges: tuple[float, ...], message: str) -> None:
    facts = {"bands": {"cheap": [0.0, 500.0]}}
    run = train_gan(draw_images(8), SMALL.with_changes(epochs=1), UPath(tmp_path), CPU, facts=facts)
    generator = Generator.load(run.generator, "cpu")
    generator.check_bands(price_bands((500.0,)), "cheap")
    with pytest.raises(NoGeneratorError, match=message):
        generator.check_bands(price_bands(edges), "cheap")
    with pytest.raises(NoGeneratorError, match=message):
        generator.check_bands(price_bands(edges))
    Generator.of_band(trained, "cheap", "cpu").check_bands(price_bands(edges), "cheap")  # of an earlier version
