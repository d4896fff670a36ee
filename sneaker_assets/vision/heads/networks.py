"""Architectures of the heads that map features to a price: networks, ridge, kernel ridge and their ensemble.

Every head stores the scales of its features and target as buffers: it takes raw features and returns US dollars.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sneaker_assets.vision.errors import FeatureError, TrainingError
from sneaker_assets.vision.settings import CLOSED_FORMS, HeadSettings


class PriceHead(nn.Module):
    """Regression head from features float32 [N, D] to prices float32 [N] in US dollars.

    ``body`` maps standardized features to the standardized target: the price, or its logarithm. A prediction on the log
    scale is transformed back with Duan's smearing factor, because the exponential of a mean log price underestimates
    the mean price. Prices are clipped to the range of the training prices.

    Source: Duan, "Smearing Estimate: A Nonparametric Retransformation Method", JASA 78, 1983.

    Args:
        body: Module from standardized features [N, D] to the standardized target [N].
        n_features: D.
        log_target: Whether the target is the logarithm of the price.
        average_views: Whether several views are averaged before the body rather than after it.

    Attributes:
        price_range: Lowest and highest training price, US dollars, to which predictions are clipped; None for no limit,
            as in models of earlier versions. It is not part of the state dict.
    """

    price_range: tuple[float, float] | None
    feature_mean: Tensor
    feature_deviation: Tensor
    target_mean: Tensor
    target_deviation: Tensor
    price_mean: Tensor
    smearing: Tensor

    def __init__(
        self, body: nn.Module, n_features: int, *, log_target: bool = False, average_views: bool = False
    ) -> None:
        super().__init__()
        self.body = body
        self.log_target = log_target
        self.average_views = average_views
        self.price_range = None
        self.register_buffer("feature_mean", torch.zeros(n_features))
        self.register_buffer("feature_deviation", torch.ones(n_features))
        for name in ("target_mean", "price_mean"):
            self.register_buffer(name, torch.zeros(()))
        for name in ("target_deviation", "smearing"):
            self.register_buffer(name, torch.ones(()))

    def fit_scales(self, features: Tensor, prices: Tensor, blocks: Sequence[int] = ()) -> None:
        """Set the price range, and mean and deviation of features and target; a constant one gets deviation 1.

        Args:
            features: float32 [n, D], raw, of the training rows.
            prices: float32 [n], US dollars, of the training rows.
            blocks: Widths of adjacent groups of features, D in total. Each group is scaled to the same total variance.
                Without groups every feature has unit variance.

        Raises:
            TrainingError: The features are too large for their variance to be computed.
        """
        target = prices.log() if self.log_target else prices
        self.feature_mean.copy_(features.mean(0))
        self.feature_deviation.copy_(_deviation(features))
        if blocks:
            widths = torch.tensor(blocks, dtype=torch.float32)
            self.feature_deviation.mul_((widths / widths.mean()).sqrt().repeat_interleave(torch.tensor(blocks)))
        self.target_mean.copy_(target.mean())
        self.target_deviation.copy_(_deviation(target))
        self.price_mean.copy_(prices.mean())
        self.price_range = (float(prices.min()), float(prices.max()))
        if not torch.isfinite(self.feature_mean + self.feature_deviation).all():
            raise TrainingError(
                f"features of up to {float(features.abs().max()):.1g} are too large to be standardized: use other "
                "weights and materialize image_features again"
            )

    def check_width(self, features: Tensor) -> None:
        """Raise if features do not have the width that the head was built for.

        Args:
            features: float32 [..., D].

        Raises:
            FeatureError: They have another width.
        """
        if features.shape[-1] != len(self.feature_mean):
            raise FeatureError(
                f"the price model takes {len(self.feature_mean):,} features of each image and got "
                f"{features.shape[-1]:,}: materialize price_model again on these features"
            )

    def fit_smearing(self, standardized: Tensor, prices: Tensor) -> None:
        """Set the smearing factor from held-out rows; residuals of training rows would be too small.

        Args:
            standardized: float [n], predictions of the body.
            prices: float32 [n], US dollars, the true prices of these rows.
        """
        if self.log_target:
            self.smearing.copy_((prices.log() - self.unstandardize(standardized)).exp().mean())

    def standardize(self, prices: Tensor) -> Tensor:
        """Standardized target [n] of prices [n] in US dollars."""
        target = prices.log() if self.log_target else prices
        return (target - self.target_mean) / self.target_deviation

    def unstandardize(self, standardized: Tensor) -> Tensor:
        """Target [n] on its original scale: US dollars, or their logarithm where ``log_target`` is set."""
        return standardized * self.target_deviation + self.target_mean

    def to_dollars(self, standardized: Tensor, *, clip: bool = True) -> Tensor:
        """Prices [n] in US dollars of predictions of the body [n], clipped to :attr:`price_range`."""
        target = self.unstandardize(standardized)
        # The factor is applied to the logarithm, where a huge target and a tiny factor do not give infinity times zero.
        prices = (target + self.smearing.log()).exp() if self.log_target else target
        return prices.clamp(*self.price_range) if clip and self.price_range is not None else prices

    def predict_standardized(self, features: Tensor) -> Tensor:
        """Standardized target [N] predicted from raw features [N, D]."""
        standardized: Tensor = self.body((features - self.feature_mean) / self.feature_deviation)
        return standardized

    def predict_standardized_views(self, features: Tensor) -> Tensor:
        """Standardized target averaged over the views of each row.

        Networks average the predictions of the views; with ``average_views`` the features are averaged instead.

        Args:
            features: float32 [views, N, D], raw.

        Returns:
            float32 [N].
        """
        if self.average_views:
            return self.predict_standardized(features.mean(0))
        return torch.stack([self.predict_standardized(view) for view in features]).mean(0)

    def forward(self, features: Tensor) -> Tensor:
        """Prices [N] in US dollars of raw features [N, D]."""
        return self.to_dollars(self.predict_standardized(features))


_MIN_DEVIATION = 1e-12
"""Standard deviation below which a feature counts as constant."""

_BLOCK = 2**25
"""Number of kernel values that a :class:`KernelBody` computes at a time."""


class KernelBody(nn.Module):
    """Kernel expansion over training rows x_i with the RBF kernel exp(-gamma |x - x_i|^2 / D).

    Args:
        n_support: Number of support rows.
        n_features: D.
    """

    support: Tensor
    coefficients: Tensor
    gamma: Tensor

    def __init__(self, n_support: int, n_features: int) -> None:
        super().__init__()
        self.register_buffer("support", torch.zeros(n_support, n_features))
        self.register_buffer("coefficients", torch.zeros(n_support))
        self.register_buffer("gamma", torch.ones(()))

    def forward(self, standardized: Tensor) -> Tensor:
        """Standardized target [N] of standardized features [N, D]."""
        blocks = torch.split(standardized, max(1, _BLOCK // max(1, len(self.support))))
        return torch.cat([self._expand(block) for block in blocks])

    def _expand(self, standardized: Tensor) -> Tensor:
        distances = torch.cdist(standardized, self.support).square() / self.support.shape[1]
        return (-self.gamma * distances).exp() @ self.coefficients


class EnsembleBody(nn.Module):
    """Weighted mean of a network (weight ``share``) and a kernel expansion (weight ``1 - share``).

    Args:
        network: Module from standardized features [N, D] to the standardized target [N].
        kernel: The same, a :class:`KernelBody`.
    """

    share: Tensor

    def __init__(self, network: nn.Module, kernel: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.kernel = kernel
        self.register_buffer("share", torch.ones(()))

    def forward(self, standardized: Tensor) -> Tensor:
        """Standardized target [N] of standardized features [N, D]."""
        combined: Tensor = self.share * self.network(standardized) + (1 - self.share) * self.kernel(standardized)
        return combined


def build_head(config: HeadSettings, n_features: int, n_support: int = 0) -> PriceHead:
    """Untrained head of the configured kind.

    Args:
        config: Kind, target and layer sizes.
        n_features: Number of features of each row.
        n_support: Number of support rows of a kernel.

    Returns:
        The head; its weights and its scales still have to be fitted.
    """
    return PriceHead(
        _body(config, n_features, n_support),
        n_features,
        log_target=config.target == "log",
        average_views=config.kind in (*CLOSED_FORMS, "mixed"),
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
    """Population standard deviation over the first axis, 1 where the values are constant."""
    deviation = values.std(0, correction=0)
    # The absolute limit keeps the standardized values of other rows within the range of float32.
    varies = deviation > (1e-6 * values.mean(0).abs()).clamp(min=_MIN_DEVIATION)
    return torch.where(varies, deviation, torch.ones_like(deviation))
