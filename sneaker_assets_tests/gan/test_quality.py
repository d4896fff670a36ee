import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch

from sneaker_assets.gan.colours import mean_colours, shoe_colours
from sneaker_assets.gan.evaluation import Evaluation, evaluate
from sneaker_assets.gan.images import TooFewImagesError, UInt8Array
from sneaker_assets.gan.networks import Generator
from sneaker_assets.gan.precision_recall import nearest_neighbours
from sneaker_assets.gan.quality import Embed, Quality, QualityMonitor, compare, embedding, frechet_distance
from sneaker_assets.gan.quality import kernel_distance as kid
from sneaker_assets.tables import GanEvaluation
from sneaker_assets.vision.backbones.backbone import load_backbone
from sneaker_assets_tests.gan.conftest import CPU, draw_images


def features(count: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)) + shift


@pytest.fixture(scope="module")
def embed() -> Embed:
    return embedding(load_backbone("resnet10", "none"), CPU)


def test_kid_is_unbiased_and_grows_with_the_shift_between_distributions() -> None:
    same = [kid(features(100, seed), features(100, 100 + seed))[0] for seed in range(10)]
    assert min(same) < 0 < max(same)
    near, far = (kid(features(100, 0), features(100, 1, shift))[0] for shift in (0.5, 1.0))
    assert max(same) < near < far


def test_kid_matches_its_definition() -> None:
    real, images = features(16, 0).double(), features(16, 1, 0.5).double()

    def kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a @ b.T / 8 + 1) ** 3

    within = [kernel(x, x).fill_diagonal_(0).sum() / (16 * 15) for x in (real, images)]
    expected = float(sum(within) - 2 * kernel(real, images).mean())
    mean, deviation = kid(real, images)
    assert mean == pytest.approx(expected, abs=deviation)
    assert deviation > 0


def test_kid_is_deterministic_and_keeps_the_global_random_state() -> None:
    torch.manual_seed(5)
    first = kid(features(40, 0), features(40, 1))
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))
    assert first == kid(features(40, 0), features(40, 1))


def test_fid_of_two_normals_is_the_squared_distance_of_their_means_and_nan_for_few_images() -> None:
    assert frechet_distance(features(4000, 0), features(4000, 1, 2.0)) == pytest.approx(8 * 4, rel=0.05)
    assert math.isnan(frechet_distance(features(8, 0), features(8, 1)))


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_images_are_refused(count: int) -> None:
    with pytest.raises(TooFewImagesError, match=f"{count} images are too few"):
        kid(features(count, 0), features(40, 1))
    with pytest.raises(TooFewImagesError, match=f"{count} images are too few"):
        QualityMonitor.from_images(draw_images(count + 1)[:count], lambda _: features(count, 0))


def test_monitor_ranks_real_images_above_noise(embed: Embed) -> None:
    images = draw_images(48)
    monitor = QualityMonitor.from_images(images[:32], embed, max_images=24)
    assert len(monitor.real) == 24
    noise = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 3), dtype=np.uint8)
    real, other = monitor(images[32:]), monitor(noise)
    assert real["kid"] < 0.1 * other["kid"]
    assert other["precision"] == other["recall"] == 0
    assert "fid" not in real
    assert real == monitor(images[32:])


def test_repeated_image_has_no_diversity(embed: Embed) -> None:
    images = draw_images(32)
    real = embed(images[:16])
    assert compare(real, embed(np.repeat(images[16:17], 16, axis=0))).diversity < 0.01
    assert compare(real, embed(images[16:])).diversity > 0.5


def rows_of(found: Evaluation) -> dict[str, dict[Any, Any]]:
    return {str(row["population"]): dict(row) for row in found.table.to_dict("records")}


def test_evaluation_compares_samples_and_held_out_images_with_training_images(embed: Embed) -> None:
    images = draw_images(48)
    found = evaluate(Generator(4, 2), images[:32], images[32:], embed, n=20, device=CPU)
    rows = rows_of(found)
    assert {name: row["n"] for name, row in rows.items()} == {"generated": 20, "held_out": 16, "training": 32}
    assert rows["held_out"]["kid"] < rows["generated"]["kid"]
    assert rows["held_out"]["close"] <= 0.1
    assert math.isnan(rows["training"]["kid"])
    assert found.nearest.shape == (8, 3, 64, 64, 3)
    expected = nearest_neighbours(embed(found.samples[:1]), embed(images[:32]))[1].item()
    assert np.array_equal(found.nearest[0, 0], images[int(expected)])


def test_memorising_generator_is_close_to_the_training_images(embed: Embed) -> None:
    images = draw_images(48)

    class Copier(Generator):
        def forward(self, noise: torch.Tensor) -> torch.Tensor:
            return torch.tensor(images[: len(noise)]).permute(0, 3, 1, 2) / 127.5 - 1

    rows = rows_of(evaluate(Copier(4, 2), images[:32], images[32:], embed, n=20, device=CPU))
    assert rows["generated"]["close"] == 1
    assert rows["generated"]["nearest_train"] == pytest.approx(0, abs=1e-3)


def test_closeness_is_nan_without_held_out_images(embed: Embed) -> None:
    images = draw_images(16)
    rows = rows_of(evaluate(Generator(4, 2), images, images[:0], embed, device=CPU))
    assert rows["held_out"]["n"] == 0
    assert math.isnan(rows["generated"]["close"])
    assert rows["generated"]["kid"] > 0


def test_colours_exclude_the_background() -> None:
    images = np.full((2, 16, 16, 3), 255, np.uint8)
    images[0, 4:8, 4:12] = (200, 100, 0)
    images[1, 4:12, 2:14] = (40, 40, 40)
    found = shoe_colours(images)
    assert found[["red", "green", "blue"]].values.tolist() == [[200, 100, 0], [40, 40, 40]]
    assert found["saturation"].tolist() == [pytest.approx(200 / 255), 0]
    assert found["brightness"].tolist() == [pytest.approx(100 / 255), pytest.approx(40 / 255)]
    means = mean_colours(images)
    assert means["saturation"] == pytest.approx(100 / 255)
    assert means["saturation_error"] == pytest.approx(100 / 255)


@pytest.mark.parametrize("images", [draw_images(1)[:0], np.full((3, 8, 8, 3), 7, np.uint8)])
def test_single_colour_images_have_no_mean_colour(images: UInt8Array) -> None:
    assert all(math.isnan(value) for value in mean_colours(images).values())


def test_every_quality_metric_is_a_column_of_the_evaluation_table() -> None:
    assert {field.name for field in dataclasses.fields(Quality)} < set(GanEvaluation.to_schema().columns)
