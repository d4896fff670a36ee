"""Training a DCGAN: a plain loop that reads like the paper, and that can be killed at any moment.

Goodfellow and others' non-saturating loss (2014, https://arxiv.org/abs/1406.2661) on the networks of ``networks``, with
an average of the generator's weights over time and differentiable augmentation. What is carried from step to step
lives in ``state``, how it is kept in ``checkpoint``, what a run leaves behind in ``run``; ``quality`` judges samples.
"""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import softplus
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.gan import run
from sneaker_assets.gan.augment import shifted
from sneaker_assets.gan.images import TooFewImagesError, UInt8Array, to_network
from sneaker_assets.gan.run import GanRun, run_name
from sneaker_assets.gan.settings import GanSettings
from sneaker_assets.gan.state import GanState
from sneaker_assets.lake import read_json
from sneaker_assets.progress import Progress
from sneaker_assets.torch_utils import checkpoint
from sneaker_assets.torch_utils.checkpoint import Checkpoint

if TYPE_CHECKING:
    from sneaker_assets.gan.quality import Judge

logger = logging.getLogger(__name__)

NARROW = 32
"""Channels up to which a network's step is too short to share among threads."""


class GanDiverged(SneakerError, RuntimeError):  # noqa: N818 - an outcome of training, as StopIteration is one of iterating
    """A loss or a weight is no longer a number; the last good checkpoint is kept."""


def train_gan(
    images: UInt8Array, config: GanSettings, folder: UPath, device: torch.device, judge: "Judge | None" = None
) -> GanRun:
    """Train a generator until it has seen the images ``config.epochs`` times, going on from where ``folder`` is.

    ``folder`` is one run: ``checkpoints/`` to go on from, and ``generator/`` with ``model.safetensors`` (the averaged
    generator, of the best epoch where samples are judged), ``config.json``, ``history.parquet`` and
    ``samples/epoch-0012.png``, grids from fixed noise. Other images or other settings are another run and want another
    folder, which ``run_name`` can name.

    Args:
        images: uint8 RGB [N, size, size, 3].
        config: the settings.
        folder: where this run lies.
        device: where to train.
        judge: says at each checkpoint how good the samples are; training itself is the same with and without.

    Raises:
        TooFewImagesError: fewer than two images.
        ValueError: images of another shape, or a folder with the run of other networks.
        GanDiverged: a loss became NaN or infinite.
        LakeError: the folder cannot be written, or the disk is full; the checkpoints before stay.
    """
    _check(images, config)
    state, known = GanState(config, device), {"config": asdict(config), "run": run_name(images, config)}
    last = checkpoint.latest(folder / "checkpoints")
    if last is not None:
        _resume(state, last, known, folder)
    start, generator = state.epoch, folder / "generator"
    if start < config.epochs:
        with _threads_for(config), _fast_floats(device):
            _train(state, torch.tensor(images, device=device), known, folder, judge)
    if not run.is_published(generator, state.epoch):
        run.publish(state, known, folder)
    return GanRun(
        generator,
        samples=run.grid_of(generator, state.epoch),
        history=pd.DataFrame(state.history),
        epochs=state.epoch,
        epoch=int(read_json(generator / "config.json")["epoch"]),
        trained=state.epoch - start,
    )


def train_step(state: GanState, real: Tensor) -> Tensor:
    """One step of both networks: the discriminator on real and generated images, then the generator against it.

    Args:
        state: the training, changed in place.
        real: images [N, 3, size, size] in [-1, 1].

    Returns:
        The generator's and the discriminator's loss, float32 [2], on the device.
    """
    generator, discriminator = state.generator.train(), state.discriminator

    with state.autocast():
        fake = generator(state.noise(len(real)))
        on_real, on_fake = discriminator(_seen(state, real)), discriminator(_seen(state, fake.detach()))
        discriminator_loss = softplus(-on_real).mean() + softplus(on_fake).mean()
    _descend(state.discriminator_adam, discriminator_loss)

    discriminator.requires_grad_(False)
    with state.autocast():
        generator_loss = softplus(-discriminator(_seen(state, fake))).mean()
    _descend(state.generator_adam, generator_loss)
    discriminator.requires_grad_(True)

    state.follow()
    return torch.stack([generator_loss.detach(), discriminator_loss.detach()])


def _seen(state: GanState, images: Tensor) -> Tensor:
    return shifted(images.float(), state.rng) if state.config.augment else images


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


@contextmanager
def _threads_for(config: GanSettings) -> Iterator[None]:
    """One thread for narrow networks: two wait for each other at every layer, ruinously so on a busy machine.

    Measured on two busy cores at widths 24 and 16, batch 16: 73 to 203 ms a step with one, 270 to 2,200 ms with two.
    """
    before = torch.get_num_threads()
    narrow = max(config.generator_width, config.discriminator_width) <= NARROW
    torch.set_num_threads(1 if narrow else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _fast_floats(device: torch.device) -> Iterator[None]:
    """TensorFloat-32 for what is left in float32 on a GPU."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def _check(images: UInt8Array, config: GanSettings) -> None:
    count, shape = len(images), (config.size, config.size, 3)
    if images.shape[1:] != shape:
        raise ValueError(f"images of shape {images.shape[1:]}, but the settings ask for {shape}")
    if count < 2:
        raise TooFewImagesError(
            f"this price band has {count} image{'s' * (count != 1)}, and a GAN needs at least 2 (hundreds to be any "
            "good): crawl more listings, or move the edge between the bands"
        )


def _resume(state: GanState, last: Checkpoint, known: dict[str, Any], folder: UPath) -> None:
    try:
        state.restore(last.tensors)
    except ValueError as error:
        raise ValueError(
            f"{folder} holds a run of other networks ({last.known['config']}): "
            "train in another folder, delete this one, or go back to its settings"
        ) from error
    state.epoch, state.step, state.history = last.epoch, last.step, last.history
    logger.info("goes on from epoch %d in %s", state.epoch, folder)
    if last.known["run"] != known["run"]:
        logger.warning("%s was trained on other images or with other settings until now", folder)


def _train(state: GanState, images: Tensor, known: dict[str, Any], folder: UPath, judge: "Judge | None") -> None:
    config = state.config
    size = min(config.batch_size, len(images))
    if size < config.batch_size:
        logger.warning("%d images are fewer than a batch of %d: every step takes them all", size, config.batch_size)
    to_see = (config.epochs - state.epoch) * (len(images) // size) * size
    started, first = time.monotonic(), state.step

    def words() -> str:
        generator_loss, discriminator_loss = state.losses.tolist()
        speed = (state.step - first) * size / (time.monotonic() - started)
        return (
            f"epoch {min(state.epoch + 1, config.epochs)} of {config.epochs}, generator loss {generator_loss:.3f}, "
            f"discriminator loss {discriminator_loss:.3f}, {speed:.0f} images/s"
        )

    progress = Progress(logger, "images seen", of=to_see, more=words)
    while state.epoch < config.epochs:
        _train_epoch(state, images, size, progress)
        if state.epoch % config.checkpoint_every == 0 or state.epoch == config.epochs:
            if not state.is_finite():
                raise _diverged(state)
            run.keep(state, known, folder, judge)
    progress.finish()


def _train_epoch(state: GanState, images: Tensor, size: int, progress: Progress) -> None:
    """Every image once, in a new order, but for those left when the last batch is not full."""
    started = time.monotonic()
    order = torch.randperm(len(images), generator=state.rng).to(images.device)
    total = torch.zeros(2, device=images.device)
    batches = [batch for batch in torch.split(order, size) if len(batch) == size]
    for batch in batches:
        state.losses = train_step(state, to_network(images[batch]))
        total += state.losses
        progress.add(size)
    generator_loss, discriminator_loss = (total / len(batches)).tolist()
    state.epoch += 1
    if not math.isfinite(generator_loss + discriminator_loss):
        raise _diverged(state)
    state.history.append(
        {
            "epoch": state.epoch,
            "step": state.step,
            "generator_loss": generator_loss,
            "discriminator_loss": discriminator_loss,
            "seconds": time.monotonic() - started,
        }
    )


def _diverged(state: GanState) -> GanDiverged:
    return GanDiverged(
        f"training diverged in epoch {state.epoch}: the losses are no longer numbers. "
        "The last good checkpoint is kept; train in another folder with lower learning rates or another seed"
    )
