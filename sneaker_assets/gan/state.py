"""Everything a GAN's training carries from one step to the next.

The state can be taken apart into named tensors and put together again bit for bit, which is what lets a killed run go
on as if nothing had happened. How those tensors lie on disk is ``checkpoint``'s concern, the step itself
``training``'s.
"""

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from sneaker_assets.gan.images import UInt8Array
from sneaker_assets.gan.networks import Discriminator, Generator, bound, initialise
from sneaker_assets.gan.sampling import draw
from sneaker_assets.gan.settings import GanSettings
from sneaker_assets.torch_utils.device import supports_bfloat16
from sneaker_assets.torch_utils.optimizer import optimizer_tensors, restore_optimizer, with_prefix

FIXED_SAMPLES = 64
"""Pictures drawn from the same noise after every interval."""

STATISTICS_BATCHES = 16
"""Batches of 64 from which the averaged generator's batch-norm statistics are computed anew."""


class GanState:
    """Networks, optimizers and randomness of one training.

    All randomness comes from one generator of the CPU, so that a run can go on on another device, and nobody else's
    random numbers move ours.

    Args:
        config: the settings; the networks are drawn from its seed.
        device: where the networks live.
    """

    def __init__(self, config: GanSettings, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.epoch = 0
        self.step = 0
        self.losses = torch.full((2,), torch.nan)
        self.history: list[dict[str, float]] = []
        self.rng = torch.Generator().manual_seed(config.seed)
        self.generator = Generator(config.latent, config.generator_width, config.size)
        self.discriminator = Discriminator(config.discriminator_width, config.size)
        for network in (self.generator, self.discriminator):
            initialise(network, self.rng)
        if config.spectral_norm:
            bound(self.discriminator, config.seed)
        for network in (self.generator, self.discriminator):
            network.to(device).to(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(self.generator).requires_grad_(False)
        self.fixed_noise = torch.randn(FIXED_SAMPLES, config.latent, generator=self.rng)
        self.generator_adam = _adam(self.generator, config.generator_lr, config.betas)
        self.discriminator_adam = _adam(self.discriminator, config.discriminator_lr, config.betas)

    def noise(self, count: int) -> Tensor:
        """The next noise [count, latent], on the device."""
        return torch.randn(count, self.config.latent, generator=self.rng).to(self.device)

    def autocast(self) -> AbstractContextManager[None]:
        """A context with convolutions in bfloat16 where the device is faster at it."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=supports_bfloat16(self.device))

    @torch.no_grad()
    def follow(self) -> None:
        """Move the averaged generator towards the present one, faster in the first steps, and count the step."""
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        for averaged, present in zip(self.averaged.parameters(), self.generator.parameters(), strict=True):
            averaged.lerp_(present, 1 - decay)
        self.step += 1

    def samples(self) -> UInt8Array:
        """What the averaged generator makes of the fixed noise: uint8 [64, size, size, 3].

        Averaged weights make the batch-norm statistics of the present ones wrong: they are computed anew first.
        """
        rng = torch.Generator().manual_seed(self.config.seed)
        noise = torch.randn(STATISTICS_BATCHES, 64, self.config.latent, generator=rng)
        update_bn(noise, self.averaged, device=self.device)
        return draw(self.averaged, self.fixed_noise.to(self.device))

    def is_finite(self) -> bool:
        """Whether every weight is a number."""
        weights = [*self.generator.parameters(), *self.discriminator.parameters()]
        return bool(torch.stack([weight.isfinite().all() for weight in weights]).all())

    def tensors(self) -> dict[str, Tensor]:
        """Everything that training changes, by name; contiguous, on the CPU."""
        named = {"rng": self.rng.get_state(), "fixed_noise": self.fixed_noise}
        for name, network in self._networks().items():
            named |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
        for name, adam in self._optimizers().items():
            named |= optimizer_tensors(adam, name)
        return {name: value.detach().cpu().contiguous() for name, value in named.items()}

    @staticmethod
    def averaged_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The averaged generator's own weights among what ``tensors`` returned."""
        return with_prefix("averaged", tensors)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what ``tensors`` returned.

        Raises:
            ValueError: the tensors are those of other networks.
        """
        try:
            for name, network in self._networks().items():
                network.load_state_dict(with_prefix(name, tensors))
            for name, adam in self._optimizers().items():
                restore_optimizer(adam, tensors, name)
            self.rng.set_state(tensors["rng"])
            self.fixed_noise = tensors["fixed_noise"]
        except (KeyError, RuntimeError) as error:
            raise ValueError(f"these are the weights of other networks ({error})") from error

    def _networks(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "averaged": self.averaged, "discriminator": self.discriminator}

    def _optimizers(self) -> dict[str, torch.optim.Adam]:
        return {"generator_adam": self.generator_adam, "discriminator_adam": self.discriminator_adam}


def _adam(network: nn.Module, lr: float, betas: tuple[float, float]) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=lr, betas=betas, fused=True)
