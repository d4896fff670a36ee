"""Resumable training loop of a DCGAN.

The loss is the non-saturating one, with differentiable augmentation and an exponential moving average (EMA) of the
generator's weights.

Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville, Bengio: Generative Adversarial Networks (2014),
https://arxiv.org/abs/1406.2661
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import softplus
from upath import UPath

from sneaker_assets.errors import SneakerError
from sneaker_assets.gan import run
from sneaker_assets.gan.augment import augment
from sneaker_assets.gan.conditions import Conditions
from sneaker_assets.gan.errors import GanError
from sneaker_assets.gan.images import MAX_IN_MEMORY, TooFewImagesError, UInt8Array, to_network
from sneaker_assets.gan.run import GanRun, run_name
from sneaker_assets.gan.settings import GanSettings
from sneaker_assets.gan.state import GanState
from sneaker_assets.lake import read_json
from sneaker_assets.progress import Progress, duration
from sneaker_assets.torch_utils import checkpoint
from sneaker_assets.torch_utils.checkpoint import Checkpoint

if TYPE_CHECKING:
    from sneaker_assets.gan.quality import QualityMonitor

logger = logging.getLogger(__name__)

NARROW = 32
"""Number of channels up to which training is faster with a single thread."""


class GanDivergedError(SneakerError, RuntimeError):
    """A loss or a weight became NaN or infinite; the last good checkpoint is kept.

    Args:
        epoch: The epoch in which it happened.
    """

    def __init__(self, epoch: int) -> None:
        super().__init__(
            f"training diverged in epoch {epoch} (losses or weights are NaN or infinite); "
            "the last good checkpoint is kept: train again with lower learning rates or another seed"
        )


def train_gan(
    images: UInt8Array,
    config: GanSettings,
    folder: UPath,
    device: torch.device,
    monitor: "QualityMonitor | None" = None,
    *,
    labels: pd.DataFrame | None = None,
    facts: Mapping[str, Any] | None = None,
    minutes: float = math.inf,
) -> GanRun:
    """Train a generator for a total of ``config.epochs`` epochs, resuming from the checkpoints in ``folder``.

    The layout of ``folder`` is described in :mod:`~sneaker_assets.gan.run`. Each combination of images and settings
    needs its own folder, see ``run_name``.

    Args:
        images: uint8 RGB [N, size, size, 3].
        config: The settings.
        folder: Folder of the run.
        device: Where to train.
        monitor: Measures sample quality at each checkpoint, by which the best epoch is chosen; does not affect the
            training.
        labels: Labels of the images, one column of strings per condition, for a conditional generator.
        facts: JSON values to store in the generator's ``config.json``.
        minutes: Time budget of this call. The training ends with a checkpoint before the epoch that would exceed it,
            but trains at least one epoch; another call continues it.

    Raises:
        TooFewImagesError: There are fewer than two images.
        GanError: The images have another size than the settings, or the folder holds a run of other networks.
        GanDivergedError: A loss or weight became NaN or infinite.
        LakeError: The folder cannot be written, or the disk is full; earlier checkpoints are kept.
    """
    _check(images, config)
    known: dict[str, Any] = {**(facts or {}), "config": config.model_dump(), "run": run_name(images, config, labels)}
    condition = None
    if labels is not None:
        conditions = Conditions.of(labels)
        condition, known["conditions"] = conditions.encode(labels), conditions.to_json()
    state = GanState(config, device, condition)
    last = checkpoint.latest(folder / "checkpoints")
    if last is not None:
        _resume(state, last, known, folder)
    start, generator = state.epoch, folder / "generator"
    if start < config.epochs:
        with _threads_for(config), _tf32(device):
            _train(
                state, _to_device(images, device), partial(run.save_checkpoint, state, known, folder, monitor), minutes
            )
    if not run.is_published(generator, state.epoch):
        run.publish(state, known, folder)
    trained = GanRun(
        generator,
        samples=run.grid_path(generator, state.epoch),
        history=pd.DataFrame(state.history),
        epochs=state.epoch,
        epoch=int(read_json(generator / "config.json")["epoch"]),
        trained=state.epoch - start,
        wanted=config.epochs,
    )
    if not trained.finished:
        _report_budget(trained, minutes)
    return trained


def _report_budget(trained: GanRun, minutes: float) -> None:
    logger.warning(
        "the time budget of %g min ended the training after epoch %d of %d: train again to continue, another %s",
        minutes,
        trained.epochs,
        trained.wanted,
        duration(trained.seconds_left),
    )
    seconds = float(trained.history["seconds"].iloc[-1])
    if seconds > 60 * minutes:
        logger.warning("an epoch takes %s, more than the budget: one is trained each time", duration(seconds))


def train_step(state: GanState, real: Tensor, condition: Tensor | None = None) -> Tensor:
    """One optimizer step of the discriminator on real and generated images, then one of the generator.

    Args:
        state: The training; updated in place.
        real: Images [N, 3, size, size] in [-1, 1], on the device.
        condition: Their conditions [N, C], on the device, which the generated images get too.

    Returns:
        Loss of the generator and of the discriminator, float32 [2], on the device.
    """
    generator, discriminator = state.generator.train(), state.discriminator
    condition = real.new_empty(len(real), 0) if condition is None else condition

    with state.autocast():
        fake = generator(state.noise(condition))
        on_real = discriminator(_augment(state, real), condition)
        on_fake = discriminator(_augment(state, fake.detach()), condition)
        discriminator_loss = softplus(-on_real).mean() + softplus(on_fake).mean()
    if state.config.r1_weight and state.step % state.config.r1_every == 0:
        discriminator_loss = discriminator_loss + state.config.r1_every * _r1_penalty(state, real, condition)
    _optimize(state.discriminator_adam, discriminator_loss)

    discriminator.requires_grad_(False)
    with state.autocast():
        generator_loss = softplus(-discriminator(_augment(state, fake), condition)).mean()
    _optimize(state.generator_adam, generator_loss)
    discriminator.requires_grad_(True)

    state.update_ema()
    state.step += 1
    return torch.stack([generator_loss.detach(), discriminator_loss.detach()])


def _augment(state: GanState, images: Tensor) -> Tensor:
    return augment(images.float(), state.config.augment, state.rng) if state.config.augment else images


def _r1_penalty(state: GanState, real: Tensor, condition: Tensor) -> Tensor:
    """Penalty on the gradients of the discriminator's logits with respect to real images, in float32.

    Mescheder, Geiger, Nowozin: Which Training Methods for GANs do actually Converge? (2018),
    https://arxiv.org/abs/1801.04406; computed at every n-th step only, as in Karras and others: Analyzing and Improving
    the Image Quality of StyleGAN (2020), https://arxiv.org/abs/1912.04958
    """
    images = _augment(state, real).float().requires_grad_()
    (gradients,) = torch.autograd.grad(state.discriminator(images, condition).sum(), images, create_graph=True)
    return state.config.r1_weight / 2 * gradients.square().sum(dim=(1, 2, 3)).mean()


def _optimize(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


@contextmanager
def _threads_for(config: GanSettings) -> Iterator[None]:
    """Use a single thread for narrow networks, whose layers are too small for the cost of synchronising threads.

    On two busy cores, at widths 24 and 16 and batch 16, a step took 73 to 203 ms with one thread and 270 to 2,200 ms
    with two.
    """
    before = torch.get_num_threads()
    narrow = max(config.generator_width, config.discriminator_width) <= NARROW
    torch.set_num_threads(1 if narrow else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _tf32(device: torch.device) -> Iterator[None]:
    """Allow TensorFloat-32 for the float32 operations on a GPU."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def _to_device(images: UInt8Array, device: torch.device) -> Tensor:
    """The images as a tensor without a copy; on a GPU too if it is certain to have room for them."""
    pixels = torch.from_numpy(images if images.flags.writeable else images.copy())
    return pixels.to(device) if images.nbytes <= MAX_IN_MEMORY else pixels


def _check(images: UInt8Array, config: GanSettings) -> None:
    count, shape = len(images), (config.size, config.size, 3)
    if images.shape[1:] != shape:
        raise GanError(f"the images have shape {images.shape[1:]}, but the settings require {shape}")
    if count < 2:
        raise TooFewImagesError(
            f"this price band has {count} image{'s' * (count != 1)}, but training a GAN takes at least 2, and hundreds "
            "for good samples: crawl more listings, or change the boundaries of the bands"
        )


def _resume(state: GanState, last: Checkpoint, known: dict[str, Any], folder: UPath) -> None:
    try:
        state.restore(last.tensors)
    except GanError as error:
        raise GanError(
            f"{folder} holds a run of networks of another shape ({last.known['config']}): "
            "train in another folder, delete this one, or restore its settings"
        ) from error
    state.epoch, state.step, state.history = last.epoch, last.step, last.history
    logger.info("resuming from epoch %d in %s", state.epoch, folder)
    if last.known["run"] != known["run"]:
        logger.warning("the run in %s was started on other images or with other settings", folder)


def _train(state: GanState, images: Tensor, save: Callable[[], None], minutes: float) -> None:
    config = state.config
    size = min(config.batch_size, len(images))
    if size < config.batch_size:
        logger.warning(
            "%d images are fewer than the batch size of %d: every batch contains all of them", size, config.batch_size
        )
    total = (config.epochs - state.epoch) * (len(images) // size) * size
    started, first = time.monotonic(), state.step

    def describe() -> str:
        generator_loss, discriminator_loss = state.losses.tolist()
        speed = (state.step - first) * size / (time.monotonic() - started)
        return (
            f"epoch {min(state.epoch + 1, config.epochs)} of {config.epochs}, generator loss {generator_loss:.3f}, "
            f"discriminator loss {discriminator_loss:.3f}, {speed:.0f} images/s"
        )

    progress = Progress(logger, "training images", of=total, more=describe)
    over = False
    while state.epoch < config.epochs and not over:
        began = time.monotonic()
        _train_epoch(state, images, size, progress)
        now = time.monotonic()
        over = now - started + (now - began) > 60 * minutes
        if over or state.epoch % config.checkpoint_every == 0 or state.epoch == config.epochs:
            if not state.is_finite():
                raise GanDivergedError(state.epoch)
            save()
    progress.finish()


def _train_epoch(state: GanState, images: Tensor, size: int, progress: Progress) -> None:
    """Train on every image once, in random order; an incomplete last batch is dropped.

    Raises:
        GanDivergedError: The mean loss is NaN or infinite.
    """
    started = time.monotonic()
    order = torch.randperm(len(images), generator=state.rng).to(images.device)
    total = torch.zeros(2, device=state.device)
    batches = [batch for batch in torch.split(order, size) if len(batch) == size]
    for batch in batches:
        condition = state.condition[batch.to(state.device)] if state.condition.shape[1] else None
        state.losses = train_step(state, to_network(images[batch].to(state.device)), condition)
        total += state.losses
        progress.add(size)
    generator_loss, discriminator_loss = (total / len(batches)).tolist()
    state.epoch += 1
    if not math.isfinite(generator_loss + discriminator_loss):
        raise GanDivergedError(state.epoch)
    state.history.append(
        {
            "epoch": state.epoch,
            "step": state.step,
            "generator_loss": generator_loss,
            "discriminator_loss": discriminator_loss,
            "seconds": time.monotonic() - started,
        }
    )
