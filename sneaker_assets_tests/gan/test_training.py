import json
import logging
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor
from upath import UPath

from sneaker_assets.gan import run, training
from sneaker_assets.gan.conditions import ConditionError
from sneaker_assets.gan.generator import Generator
from sneaker_assets.gan.images import UInt8Array, to_network
from sneaker_assets.gan.quality import QualityMonitor
from sneaker_assets.gan.run import run_name
from sneaker_assets.gan.sampling import load_generator, sample
from sneaker_assets.gan.settings import GanSettings, from_recipe
from sneaker_assets.gan.state import GanState
from sneaker_assets.gan.training import GanDivergedError, train_gan
from sneaker_assets.lake import LakeError
from sneaker_assets.torch_utils.checkpoint import latest, load
from sneaker_assets_tests.gan.conftest import CPU, SMALL, draw_images

pytestmark = pytest.mark.slow

IMAGES = draw_images()


def tensors_of(folder: Path) -> dict[str, Tensor]:
    """Tensors of a run's newest checkpoint, as bytes: NaN equals NaN, and 0.0 differs from -0.0."""
    checkpoint = latest(UPath(folder) / "checkpoints")
    assert checkpoint is not None
    return {name: value.view(torch.uint8) if value.ndim else value for name, value in checkpoint.tensors.items()}


def losses_of(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "generator/history.parquet").drop(columns="seconds")


def assert_same_weights(one: Path, other: Path) -> None:
    ours, theirs = tensors_of(one), tensors_of(other)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def assert_same_run(one: Path, other: Path) -> None:
    assert_same_weights(one, other)
    for product in ("generator/model.safetensors", "generator/samples/epoch-0004.png"):
        assert (one / product).read_bytes() == (other / product).read_bytes()
    pd.testing.assert_frame_equal(losses_of(one), losses_of(other))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an uninterrupted run of four epochs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("uninterrupted")
    train_gan(IMAGES, SMALL, UPath(folder), CPU)
    torch.set_num_threads(threads)
    return folder


def test_run_writes_the_generator_its_history_and_a_grid_of_samples(uninterrupted: Path) -> None:
    folder = UPath(uninterrupted) / "generator"
    assert {path.name for path in folder.iterdir()} == {
        "model.safetensors",
        "config.json",
        "history.parquet",
        "samples",
    }
    generator = load_generator(folder)
    assert not generator.training
    pictures = sample(generator, 5, seed=1, device=CPU)
    assert pictures.shape == (5, 64, 64, 3)
    assert Image.open(uninterrupted / "generator/samples/epoch-0004.png").size == (8 * 66 - 2, 8 * 66 - 2)
    history = pd.read_parquet(uninterrupted / "generator/history.parquet")
    assert list(history) == ["epoch", "step", "generator_loss", "discriminator_loss", "seconds"]
    assert history["step"].tolist() == [3, 6, 9, 12]


def test_run_is_reproducible_for_a_seed_regardless_of_the_global_random_state(
    uninterrupted: Path, tmp_path: Path
) -> None:
    torch.manual_seed(time.time_ns())
    train_gan(IMAGES, SMALL, UPath(tmp_path), CPU)
    assert_same_run(tmp_path, uninterrupted)


@pytest.mark.parametrize(
    "other",
    [
        SMALL.with_changes(seed=1),
        SMALL.with_changes(augment=""),
        SMALL.with_changes(convolutions=2),
        SMALL.with_changes(r1_weight=1.0, r1_every=2),
    ],
)
def test_seed_and_settings_change_the_run(uninterrupted: Path, tmp_path: Path, other: GanSettings) -> None:
    trained = train_gan(IMAGES, other.with_changes(epochs=1), UPath(tmp_path), CPU)
    assert trained.history["generator_loss"][0] != losses_of(uninterrupted)["generator_loss"][0]


def test_more_epochs_resume_to_the_same_bits(uninterrupted: Path, tmp_path: Path) -> None:
    folder = UPath(tmp_path)
    assert train_gan(IMAGES, SMALL.with_changes(epochs=1), folder, CPU).trained == 1
    trained = train_gan(IMAGES, SMALL, folder, CPU)
    assert (trained.epochs, trained.trained) == (4, 3)
    assert trained.samples.name == "epoch-0004.png"
    assert_same_run(tmp_path, uninterrupted)


def test_run_interrupted_within_an_epoch_resumes_to_the_same_bits(
    uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_step = training.train_step

    def stopped(state: GanState, *batch: Any) -> Tensor:
        if state.step == 7:
            raise KeyboardInterrupt
        return real_step(state, *batch)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "train_step", stopped)
        train_gan(IMAGES, SMALL, UPath(tmp_path), CPU)
    assert train_gan(IMAGES, SMALL, UPath(tmp_path), CPU).trained == 2
    assert_same_run(tmp_path, uninterrupted)


def test_killed_process_resumes_to_the_same_bits(uninterrupted: Path, tmp_path: Path) -> None:
    program = (
        "import sys, torch; from upath import UPath\n"
        "from sneaker_assets.gan.training import train_gan\n"
        "from sneaker_assets_tests.gan.conftest import CPU, SMALL, draw_images\n"
        "torch.set_num_threads(1)\n"
        "train_gan(draw_images(), SMALL, UPath(sys.argv[1]), CPU)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) as process:
        while not (tmp_path / "checkpoints" / "epoch-0002").exists() and process.poll() is None:
            time.sleep(0.002)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    trained = train_gan(IMAGES, SMALL, UPath(tmp_path), CPU)
    assert 0 < trained.trained < 4
    assert_same_run(tmp_path, uninterrupted)


def test_generator_is_published_after_an_interruption_before_its_publication(
    uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    train_gan(IMAGES, SMALL.with_changes(epochs=2), UPath(tmp_path), CPU)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "publish", interrupt)
        train_gan(IMAGES, SMALL, UPath(tmp_path), CPU)
    assert train_gan(IMAGES, SMALL, UPath(tmp_path), CPU).trained == 0
    assert_same_run(tmp_path, uninterrupted)


def test_run_resumes_before_a_damaged_checkpoint_to_the_same_bits(
    uninterrupted: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train_gan(IMAGES, SMALL.with_changes(epochs=3), UPath(tmp_path), CPU)
    (tmp_path / "checkpoints/epoch-0003/model.safetensors").write_bytes(b"half a")
    trained = train_gan(IMAGES, SMALL, UPath(tmp_path), CPU)
    assert "epoch-0003 is damaged" in caplog.text
    assert trained.trained == 2
    assert_same_run(tmp_path, uninterrupted)


def test_finished_run_is_not_trained_or_written_again(uninterrupted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "train_step", None)
    before = (uninterrupted / "generator/config.json").stat().st_mtime_ns
    for epochs in (4, 2):
        trained = train_gan(IMAGES, SMALL.with_changes(epochs=epochs), UPath(uninterrupted), CPU)
        assert (trained.epochs, trained.trained, len(trained.history)) == (4, 0, 4)
    assert (uninterrupted / "generator/config.json").stat().st_mtime_ns == before


def test_resuming_refuses_networks_of_another_shape_and_warns_of_other_images(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    once = SMALL.with_changes(epochs=1)
    train_gan(IMAGES, once, UPath(tmp_path), CPU)
    with pytest.raises(ValueError, match=r"networks of another shape.*'generator_width': 8.*another folder"):
        train_gan(IMAGES, once.with_changes(generator_width=4), UPath(tmp_path), CPU)
    train_gan(IMAGES[::-1], once, UPath(tmp_path), CPU)
    assert "was started on other images" in caplog.text


def test_run_name_depends_on_images_and_settings_but_not_on_length() -> None:
    name = run_name(IMAGES, SMALL)
    assert name == run_name(IMAGES.copy(), SMALL.with_changes(epochs=9, checkpoint_every=3))
    assert (
        len(
            {
                name,
                run_name(IMAGES[:-1], SMALL),
                run_name(IMAGES[::-1], SMALL),
                run_name(IMAGES, SMALL.with_changes(seed=1)),
            }
        )
        == 4
    )


@pytest.mark.parametrize(("count", "message"), [(0, "has 0 images"), (1, "has 1 image,")])
def test_too_few_images_are_refused(tmp_path: Path, count: int, message: str) -> None:
    with pytest.raises(ValueError, match=f"{message}.*at least 2.*crawl more"):
        train_gan(IMAGES[:count], SMALL, UPath(tmp_path), CPU)
    assert list(tmp_path.iterdir()) == []


def test_images_of_a_size_other_than_the_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\(64, 64, 3\).*\(128, 128, 3\)"):
        train_gan(IMAGES, SMALL.with_changes(size=128), UPath(tmp_path), CPU)


def test_two_images_are_one_batch(tmp_path: Path) -> None:
    trained = train_gan(IMAGES[:2], SMALL.with_changes(epochs=2), UPath(tmp_path), CPU)
    assert trained.history["step"].tolist() == [1, 2]


def test_non_finite_loss_raises_and_keeps_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_step = training.train_step

    def poisoned(state: GanState, real: Tensor, *condition: Any) -> Tensor:
        return real_step(state, real * (torch.nan if state.step == 7 else 1), *condition)

    monkeypatch.setattr(training, "train_step", poisoned)
    with pytest.raises(GanDivergedError, match=r"epoch 3.*last good checkpoint is kept"):
        train_gan(IMAGES, SMALL, UPath(tmp_path), CPU)
    checkpoint = latest(UPath(tmp_path) / "checkpoints")
    assert checkpoint is not None
    assert checkpoint.epoch == 2
    assert all(value.isfinite().all() for value in checkpoint.tensors.values())


def test_non_finite_weights_are_not_checkpointed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_step = training.train_step

    def poisoned(state: GanState, real: Tensor, *condition: Any) -> Tensor:
        losses = real_step(state, real, *condition)
        if state.step == 12:
            torch.nn.init.constant_(next(state.generator.parameters()), torch.nan)
        return losses

    monkeypatch.setattr(training, "train_step", poisoned)
    with pytest.raises(GanDivergedError, match="epoch 4"):
        train_gan(IMAGES, SMALL, UPath(tmp_path), CPU)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["epoch-0002"]


def test_training_moves_the_mean_sample_towards_the_mean_image(tmp_path: Path) -> None:
    config = SMALL.with_changes(epochs=20, checkpoint_every=20, generator_lr=2e-3, discriminator_lr=5e-4)
    start = GanState(config, CPU).samples()
    trained = train_gan(IMAGES, config, UPath(tmp_path), CPU)
    end = sample(load_generator(trained.generator), 64, seed=0, device=CPU)

    def distance(samples: UInt8Array) -> float:
        return float(np.abs(samples.mean(axis=0) - IMAGES.mean(axis=0)).mean())

    assert distance(end) < 0.5 * distance(start)


@dataclass(frozen=True)
class ScriptedMonitor(QualityMonitor):
    """Reports given KIDs in order, regardless of the samples."""

    kids: Iterator[float]

    def __call__(self, samples: UInt8Array) -> dict[str, float]:
        assert len(samples) == len(self.real)
        return {"kid": next(self.kids), "kid_deviation": 0.5}


def scripted_monitor(*kids: float) -> ScriptedMonitor:
    return ScriptedMonitor(lambda images: torch.zeros(len(images), 2), torch.zeros(9, 2), iter(kids))


def test_monitor_records_quality_without_affecting_the_training(uninterrupted: Path, tmp_path: Path) -> None:
    trained = train_gan(IMAGES, SMALL, UPath(tmp_path), CPU, scripted_monitor(3.0, 1.0))
    assert_same_weights(tmp_path, uninterrupted)
    assert trained.history["kid"].isna().tolist() == [True, False, True, False]
    assert trained.epoch == 4


def test_checkpoint_with_the_lowest_kid_is_kept_and_its_generator_published(tmp_path: Path) -> None:
    config = SMALL.with_changes(checkpoint_every=1)
    trained = train_gan(IMAGES, config, UPath(tmp_path), CPU, scripted_monitor(1.0, 4.0, 3.0, 2.0))
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["epoch-0001", "epoch-0003", "epoch-0004"]
    assert (trained.epochs, trained.epoch) == (4, 1)
    best = GanState.ema_weights(load(UPath(tmp_path) / "checkpoints" / "epoch-0001").tensors)
    published = load_generator(trained.generator).state_dict()
    assert all(torch.equal(best[name], value) for name, value in published.items())
    shutil.rmtree(tmp_path / "generator")
    (tmp_path / "checkpoints/epoch-0001/state.json").unlink()
    assert train_gan(IMAGES, config, UPath(tmp_path), CPU).epoch == 4


def test_full_disk_raises_and_the_run_resumes_from_the_previous_checkpoint(uninterrupted: Path, tmp_path: Path) -> None:
    train_gan(IMAGES, SMALL.with_changes(epochs=2), UPath(tmp_path), CPU)
    max_bytes = (tmp_path / "checkpoints/epoch-0002/model.safetensors").stat().st_size // 2
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, before[1]))
    try:
        with pytest.raises(LakeError, match=r"cannot be written.*earlier checkpoints are kept: free disk space"):
            train_gan(IMAGES, SMALL, UPath(tmp_path), CPU)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["epoch-0002"]
    assert train_gan(IMAGES, SMALL, UPath(tmp_path), CPU).trained == 2
    assert_same_run(tmp_path, uninterrupted)


def test_training_on_single_colour_images_stays_finite(tmp_path: Path) -> None:
    grey = np.full((8, 64, 64, 3), 128, np.uint8)
    trained = train_gan(grey, SMALL.with_changes(epochs=2), UPath(tmp_path), CPU)
    assert np.isfinite(trained.history["generator_loss"]).all()


def test_fewer_images_than_the_batch_size_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train_gan(IMAGES[:5], SMALL.with_changes(epochs=1), UPath(tmp_path), CPU)
    assert "5 images are fewer than the batch size of 8" in caplog.text


def test_image_size_of_128_pixels_is_supported(tmp_path: Path) -> None:
    config = SMALL.with_changes(epochs=1, size=128, generator_width=2, discriminator_width=2)
    trained = train_gan(draw_images(8, size=128), config, UPath(tmp_path), CPU)
    assert sample(load_generator(trained.generator), 2, seed=0, device=CPU).shape == (2, 128, 128, 3)


def test_article_recipe_has_the_articles_settings_and_no_ema() -> None:
    config = from_recipe("article", epochs=3, generator_lr=None)
    assert (config.generator_lr, config.discriminator_lr, config.betas) == (2e-4, 2e-5, (0.55, 0.999))
    assert (config.augment, config.batch_size, config.latent, config.generator_width) == ("", 64, 100, 64)
    state = GanState(config.with_changes(generator_width=4, discriminator_width=4), CPU)
    losses = training.train_step(state, to_network(torch.tensor(IMAGES[:8])))
    assert losses.isfinite().all()
    weights, averages = state.generator.parameters(), state.ema_generator.parameters()
    assert all(torch.equal(one, other) for one, other in zip(weights, averages, strict=True))


def test_recipe_values_can_be_overridden_and_an_unknown_recipe_is_refused() -> None:
    assert from_recipe("article", discriminator_lr=1e-3).discriminator_lr == 1e-3
    with pytest.raises(ValueError, match="unknown recipe 'articel': choose one of default, small, article"):
        from_recipe("articel")


def test_progress_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        train_gan(IMAGES, SMALL.with_changes(epochs=1), UPath(tmp_path), CPU)
    assert "epoch 1 of 1, generator loss" in caplog.text
    assert "images/s" in caplog.text


def test_checkpoints_keep_their_tensor_names(uninterrupted: Path) -> None:
    prefixes = {name.partition(".")[0] for name in tensors_of(uninterrupted)}
    assert prefixes == {
        "generator", "averaged", "discriminator", "generator_adam", "discriminator_adam", "rng", "fixed_noise",
    }  # fmt: skip


def test_a_time_budget_ends_a_run_that_continues_to_the_same_bits(
    uninterrupted: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    epochs, calls = 0, 0
    while epochs < 4:
        trained = train_gan(IMAGES, SMALL, UPath(tmp_path), CPU, minutes=1e-9)
        assert trained.trained == 1, "a budget shorter than an epoch trains one"
        assert trained.finished == (trained.epochs == 4)
        epochs, calls = trained.epochs, calls + 1
    assert calls == 4
    assert_same_weights(tmp_path, uninterrupted)
    assert caplog.text.count("min ended the training after epoch") == 3
    assert "after epoch 3 of 4: train again to continue, another" in caplog.text
    assert "more than the budget: one is trained each time" in caplog.text


def test_a_generous_budget_does_not_end_a_run(tmp_path: Path) -> None:
    trained = train_gan(IMAGES, SMALL, UPath(tmp_path), CPU, minutes=60)
    assert (trained.epochs, trained.finished, trained.seconds_left) == (4, True, 0)


def test_the_last_run_are_those_of_the_run_and_none_of_an_earlier_version(
    uninterrupted: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert run.last_run(UPath(uninterrupted)) == ("default", SMALL)
    assert run.last_run(None) is None
    assert run.last_run(UPath(tmp_path)) is None
    shutil.copytree(uninterrupted, tmp_path / "earlier")
    config = tmp_path / "earlier/generator/config.json"
    settings = json.loads(config.read_text())
    del settings["upsampling"]
    config.write_text(json.dumps(settings | {"augment": True}))
    assert run.last_run(UPath(tmp_path / "earlier")) is None
    assert "is of an earlier version without the settings upsampling: a new one is started" in caplog.text


LABELS = pd.DataFrame({"band": ["cheap", "expensive"] * 12, "colour": ["red", "blue", "red", "grey"] * 6})


def test_a_conditional_run_resumes_to_the_same_bits_and_its_generator_obeys_conditions(tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    train_gan(IMAGES, SMALL, UPath(once), CPU, labels=LABELS)
    for epochs in (1, 4):
        trained = train_gan(IMAGES, SMALL.with_changes(epochs=epochs), UPath(twice), CPU, labels=LABELS)
    assert_same_run(once, twice)
    generator = Generator.load(trained.generator, device="cpu")
    assert generator.conditions is not None
    assert generator.conditions.names == {"band": ["cheap", "expensive"], "colour": ["blue", "grey", "red"]}
    red, blue = (generator.sample(4, seed=1, colour=colour) for colour in ("red", "blue"))
    assert np.array_equal(red, generator.sample(4, seed=1, band="cheap", colour="red"))
    assert not np.array_equal(red, blue)
    assert generator.sample(3).shape == (3, 64, 64, 3)


def test_labels_are_part_of_the_name_of_a_run() -> None:
    other = LABELS.assign(colour="red")
    assert len({run_name(IMAGES, SMALL), run_name(IMAGES, SMALL, LABELS), run_name(IMAGES, SMALL, other)}) == 3


def test_an_unconditional_generator_takes_no_conditions(uninterrupted: Path) -> None:
    with pytest.raises(ConditionError, match="not conditional, so its colour cannot be chosen"):
        Generator.load(UPath(uninterrupted) / "generator", "cpu").sample(1, colour="red")
