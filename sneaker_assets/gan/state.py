"""State of a GAN's training: networks, optimizers and random state.

The state converts to named tensors and back without loss, so that a resumed run is bit-identical to an uninterrupted
one.
"""

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from sneaker_assets.gan.errors import GanError
from sneaker_assets.gan.images import UInt8Array
from sneaker_assets.gan.networks import Discriminator, Generator, apply_spectral_norm, initialise
from sneaker_assets.gan.sampling import generate
from sneaker_assets.gan.settings import GanSettings
from sneaker_assets.torch_utils.device import supports_bfloat16
from sneaker_assets.torch_utils.optimizer import optimizer_tensors, restore_optimizer, with_prefix

FIXED_SAMPLES = 64
"""Images generated from the same noise at every checkpoint."""

STATISTICS_BATCHES = 16
"""Batches of 64 from which the EMA generator's batch-norm statistics are recomputed."""

EMA_PREFIX = "averaged"
"""Prefix of the EMA generator's tensors in a checkpoint, kept so that existing checkpoints can be loaded."""


class GanState:
    """Networks, optimizers and random state of one training.

    All random numbers come from one generator on the CPU, so that a run can resume on another device and does not
    depend on the global random state.

    Args:
        config: The settings; the networks are initialised from its seed.
        device: Device of the networks.
        condition: Encoded conditions of the training images, float32 [N, C]; unconditional without.

    Attributes:
        condition: The same on the device; [1, 0] for an unconditional training.
        epoch: Epochs completed.
        step: Training steps completed.
        losses: Generator and discriminator loss of the last step, float32 [2].
        history: One row per epoch, as in :class:`~sneaker_assets.gan.run.GanRun`.
        generator: The generator being trained.
        ema_generator: Generator whose weights are an exponential moving average (EMA) of those of ``generator``.
        discriminator: The discriminator.
        fixed_noise: Noise and conditions of the sample grids, [64, latent + C].
    """

    def __init__(self, config: GanSettings, device: torch.device, condition: Tensor | None = None) -> None:
        self.config = config
        self.condition = torch.empty(1, 0) if condition is None else condition
        self.device = device
        self.epoch = 0
        self.step = 0
        self.losses = torch.full((2,), torch.nan)
        self.history: list[dict[str, float]] = []
        self.rng = torch.Generator().manual_seed(config.seed)
        width = self.condition.shape[1]
        self.generator = Generator(
            config.latent + width, config.generator_width, config.size, config.upsampling, config.convolutions
        )
        self.discriminator = Discriminator(config.discriminator_width, config.size, width)
        for network in (self.generator, self.discriminator):
            initialise(network, self.rng)
        if config.spectral_norm:
            apply_spectral_norm(self.discriminator, config.seed)
        for network in (self.generator, self.discriminator):
            network.to(device).to(memory_format=torch.channels_last)
        self.ema_generator = copy.deepcopy(self.generator).requires_grad_(False)
        noise = torch.randn(FIXED_SAMPLES, config.latent, generator=self.rng)
        self.fixed_noise = torch.cat([noise, self.draw_conditions(FIXED_SAMPLES, self.rng)], dim=1)
        self.condition = self.condition.to(device)
        self.generator_adam = _adam(self.generator, config.generator_lr, config.betas)
        self.discriminator_adam = _adam(self.discriminator, config.discriminator_lr, config.betas)

    def noise(self, condition: Tensor) -> Tensor:
        """New noise for conditions [N, C] and these conditions, [N, latent + C], on the device."""
        noise = torch.randn(len(condition), self.config.latent, generator=self.rng)
        return torch.cat([noise.to(self.device), condition], dim=1)

    def draw_conditions(self, count: int, rng: torch.Generator) -> Tensor:
        """Conditions [count, C] of training images drawn at random, on the device of :attr:`condition`."""
        if not self.condition.shape[1]:
            return self.condition.new_empty(count, 0)
        return self.condition[torch.randint(len(self.condition), (count,), generator=rng).to(self.condition.device)]

    def autocast(self) -> AbstractContextManager[None]:
        """Context manager that runs convolutions in bfloat16 on devices with hardware support for it."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=supports_bfloat16(self.device))

    @torch.no_grad()
    def update_ema(self) -> None:
        """Update the EMA generator; the decay is smaller during the first steps, which start from random weights."""
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        for average, weight in zip(self.ema_generator.parameters(), self.generator.parameters(), strict=True):
            average.lerp_(weight, 1 - decay)

    def samples(self) -> UInt8Array:
        """Images of the EMA generator from the fixed noise: uint8 RGB [64, size, size, 3].

        Recomputes the generator's batch-norm statistics first, which depend on its weights.
        """
        rng = torch.Generator().manual_seed(self.config.seed)
        noise = torch.randn(STATISTICS_BATCHES, 64, self.config.latent, generator=rng).to(self.device)
        condition = self.draw_conditions(STATISTICS_BATCHES * 64, rng)
        batches = torch.split(torch.cat([noise.flatten(0, 1), condition], dim=1), 64)
        update_bn(batches, self.ema_generator, device=self.device)
        return generate(self.ema_generator, self.fixed_noise.to(self.device))

    def is_finite(self) -> bool:
        """Whether all weights of both networks are finite."""
        weights = [*self.generator.parameters(), *self.discriminator.parameters()]
        return bool(torch.stack([weight.isfinite().all() for weight in weights]).all())

    def tensors(self) -> dict[str, Tensor]:
        """Everything that training changes.

        Returns:
            Contiguous tensors on the CPU by name: ``rng``, ``fixed_noise``, and ``<network>.<name>`` and
            ``<optimizer>.<index>.<name>`` of all networks and optimizers.
        """
        named = {"rng": self.rng.get_state(), "fixed_noise": self.fixed_noise}
        for name, network in self._networks().items():
            named |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
        for name, adam in self._optimizers().items():
            named |= optimizer_tensors(adam, name)
        return {name: value.detach().cpu().contiguous() for name, value in named.items()}

    @staticmethod
    def ema_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The EMA generator's weights.

        Args:
            tensors: The result of :meth:`tensors`.

        Returns:
            Its ``state_dict``.
        """
        return with_prefix(EMA_PREFIX, tensors)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Load the result of :meth:`tensors`.

        Raises:
            GanError: The tensors belong to networks of another shape.
        """
        try:
            for name, network in self._networks().items():
                network.load_state_dict(with_prefix(name, tensors))
            for name, adam in self._optimizers().items():
                restore_optimizer(adam, tensors, name)
            self.rng.set_state(tensors["rng"])
            self.fixed_noise = tensors["fixed_noise"]
        except (KeyError, RuntimeError) as error:
            raise GanError(f"the weights belong to networks of another shape ({error})") from error

    def _networks(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, EMA_PREFIX: self.ema_generator, "discriminator": self.discriminator}

    def _optimizers(self) -> dict[str, torch.optim.Adam]:
        return {"generator_adam": self.generator_adam, "discriminator_adam": self.discriminator_adam}


def _adam(network: nn.Module, lr: float, betas: tuple[float, float]) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=lr, betas=betas, fused=True)
