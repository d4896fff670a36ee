"""What turns a backbone's features into a price: networks, a ridge and a kernel ridge in one form.

Every head standardises its input and its target with the training rows' mean and deviation, which it carries with it:
it takes raw features and gives US dollars. How heads are fitted is the concern of ``training`` and ``ridge``.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sneaker_assets.vision.settings import CLOSED_FORMS, HeadSettings


class PriceHead(nn.Module):
    """Features float32 [N, D] to prices float32 [N], US dollars.

    ``body`` maps standardised features to the standardised target. A target in logarithms is brought back with Duan's
    smearing factor, without which its mean comes out too low (Duan 1983, JASA 78).
    """

    feature_mean: Tensor
    feature_deviation: Tensor
    target_mean: Tensor
    target_deviation: Tensor
    price_mean: Tensor
    smearing: Tensor

    def __init__(
        self, body: nn.Module, n_features: int, *, logarithmic: bool = False, means_views: bool = False
    ) -> None:
        super().__init__()
        self.body = body
        self.logarithmic = logarithmic
        self.means_views = means_views
        self.register_buffer("feature_mean", torch.zeros(n_features))
        self.register_buffer("feature_deviation", torch.ones(n_features))
        for name in ("target_mean", "price_mean"):
            self.register_buffer(name, torch.zeros(()))
        for name in ("target_deviation", "smearing"):
            self.register_buffer(name, torch.ones(()))

    def fit_scales(self, features: Tensor, prices: Tensor, blocks: Sequence[int] = ()) -> None:
        """Take mean and deviation of the training rows; a feature or price that never varies keeps deviation 1.

        Features that lie side by side in ``blocks`` of unlike widths are scaled so that each block counts alike.
        """
        target = prices.log() if self.logarithmic else prices
        self.feature_mean.copy_(features.mean(0))
        self.feature_deviation.copy_(_deviation(features))
        if blocks:
            widths = torch.tensor(blocks, dtype=torch.float32)
            self.feature_deviation.mul_((widths / widths.mean()).sqrt().repeat_interleave(torch.tensor(blocks)))
        self.target_mean.copy_(target.mean())
        self.target_deviation.copy_(_deviation(target))
        self.price_mean.copy_(prices.mean())

    def fit_smearing(self, expected: Tensor, prices: Tensor) -> None:
        """Take the smearing factor of rows that were not trained on: on training rows residuals are too small."""
        if self.logarithmic:
            self.smearing.copy_((prices.log() - self.unscaled(expected)).exp().mean())

    def scaled(self, prices: Tensor) -> Tensor:
        """Prices as the body is to give them."""
        target = prices.log() if self.logarithmic else prices
        return (target - self.target_mean) / self.target_deviation

    def unscaled(self, expected: Tensor) -> Tensor:
        """What the body gives, in US dollars or their logarithm."""
        return expected * self.target_deviation + self.target_mean

    def dollars(self, expected: Tensor) -> Tensor:
        """What the body gives, in US dollars."""
        target = self.unscaled(expected)
        return target.exp() * self.smearing if self.logarithmic else target

    def expect(self, features: Tensor) -> Tensor:
        """What the body gives for raw features."""
        expected: Tensor = self.body((features - self.feature_mean) / self.feature_deviation)
        return expected

    def expect_views(self, features: Tensor) -> Tensor:
        """Several views of each row, [views, N, D]: networks average their answers, closed forms the views."""
        if self.means_views:
            return self.expect(features.mean(0))
        return torch.stack([self.expect(view) for view in features]).mean(0)

    def forward(self, features: Tensor) -> Tensor:
        """Price each row."""
        return self.dollars(self.expect(features))


class KernelBody(nn.Module):
    """A sum of Gaussian bells around the training rows: exp(-gamma |x - x_i|^2 / D), weighted."""

    support: Tensor
    coefficients: Tensor
    gamma: Tensor

    def __init__(self, n_support: int, n_features: int) -> None:
        super().__init__()
        self.register_buffer("support", torch.zeros(n_support, n_features))
        self.register_buffer("coefficients", torch.zeros(n_support))
        self.register_buffer("gamma", torch.ones(()))

    def forward(self, standardised: Tensor) -> Tensor:
        """Standardised features [N, D] to the standardised target [N]."""
        distances = torch.cdist(standardised, self.support).square() / self.support.shape[1]
        return (-self.gamma * distances).exp() @ self.coefficients


class EnsembleBody(nn.Module):
    """A network and a kernel side by side: ``share`` of what the one gives and the rest of what the other gives."""

    share: Tensor

    def __init__(self, network: nn.Module, kernel: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.kernel = kernel
        self.register_buffer("share", torch.ones(()))

    def forward(self, standardised: Tensor) -> Tensor:
        """Standardised features [N, D] to the standardised target [N]."""
        mixed: Tensor = self.share * self.network(standardised) + (1 - self.share) * self.kernel(standardised)
        return mixed


def build_head(config: HeadSettings, n_features: int, n_support: int = 0) -> PriceHead:
    """The head that this configuration asks for, with random or empty weights; ``n_support`` is a kernel's rows."""
    return PriceHead(
        _body(config, n_features, n_support),
        n_features,
        logarithmic=config.target == "log",
        means_views=config.kind in (*CLOSED_FORMS, "mixed"),
    )


def _body(config: HeadSettings, n_features: int, n_support: int) -> nn.Module:
    if config.kind == "kernel_ridge":
        return KernelBody(n_support, n_features)
    if config.kind == "mixed":
        network = _body(config.with_changes(kind="pooled"), n_features, n_support)
        return EnsembleBody(network, KernelBody(n_support, n_features))
    widths = {"article": [4096, 4096], "pooled": [config.hidden], "ridge": []}[config.kind]
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip([n_features, *widths[:-1]], widths, strict=False):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU(), nn.Dropout(config.dropout)]
    return nn.Sequential(*layers, nn.Linear(widths[-1] if widths else n_features, 1), nn.Flatten(0))


def _deviation(values: Tensor) -> Tensor:
    deviation = values.std(0, correction=0)
    varies = deviation > 1e-6 * values.mean(0).abs()
    return torch.where(varies, deviation, torch.ones_like(deviation))
