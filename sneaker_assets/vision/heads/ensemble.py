"""Ensemble of a network and a kernel ridge, weighted by what minimizes the validation error.

The two make different errors, so their weighted mean has a lower error than either.
"""

import copy
import logging
import math
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from sneaker_assets.vision.heads.networks import EnsembleBody, KernelBody, PriceHead
from sneaker_assets.vision.heads.training_rows import TrainingRows

logger = logging.getLogger(__name__)

SHARES = [number / 20 for number in range(21)]
"""Candidate weights of the network."""


@torch.no_grad()
def combine_heads(
    network: PriceHead, kernel: PriceHead, features: Tensor, rows: TrainingRows, columns: slice = slice(None)
) -> tuple[PriceHead, dict[str, float]]:
    """Ensemble of two trained heads, with the network's share chosen on the validation rows.

    Args:
        network: A trained head of kind ``pooled``.
        kernel: A trained head of kind ``kernel_ridge`` with the same target.
        features: float32 [N, D], raw, averaged over the views: the input of the kernel.
        rows: Training and validation rows.
        columns: The columns of ``features`` that are the network's input.

    Returns:
        The ensemble, a head that takes all D features, and its scores: ``network_share`` in [0, 1]; ``network_rmse``
        and ``kernel_rmse``, the validation RMSE of the members (US dollars); ``train_mse`` and ``validation_mse`` of
        the ensemble (US dollars squared).
    """
    head, train, held_out = copy.deepcopy(kernel), rows.train, rows.validation
    body = EnsembleBody(_widened_network(network, kernel, columns), cast("KernelBody", head.body))
    head.body = body
    standardized = (features[held_out] - head.feature_mean) / head.feature_deviation
    by_kernel, by_network = body.kernel(standardized), body.network(standardized)
    errors = [_fitted_mse(head, torch.lerp(by_kernel, by_network, share), rows.prices[held_out]) for share in SHARES]
    best = int(np.argmin(errors))
    body.share.fill_(SHARES[best])
    validation_mse = _fitted_mse(head, body(standardized), rows.prices[held_out])
    scores = {
        "network_share": SHARES[best],
        "network_rmse": math.sqrt(errors[-1]),
        "kernel_rmse": math.sqrt(errors[0]),
        "train_mse": float((head(features[train]) - rows.prices[train]).square().mean()),
        "validation_mse": validation_mse,
    }
    logger.debug("head: %s", ", ".join(f"{name} {value:.4g}" for name, value in scores.items()))
    return head.eval(), scores


def _fitted_mse(head: PriceHead, standardized: Tensor, prices: Tensor) -> float:
    """Mean squared error in US dollars squared, after fitting the head's smearing factor to these rows."""
    head.fit_smearing(standardized, prices)
    return float((head.to_dollars(standardized) - prices).square().mean())


def _widened_network(network: PriceHead, kernel: PriceHead, columns: slice) -> nn.Sequential:
    """The network's body with its first layer rewritten to take all features, standardized with the kernel's scales."""
    body = copy.deepcopy(cast("nn.Sequential", network.body))
    original = cast("nn.Linear", body[0])
    mean, deviation = kernel.feature_mean[columns], kernel.feature_deviation[columns]
    widened = nn.Linear(len(kernel.feature_mean), original.out_features)
    widened.weight.zero_()
    widened.weight[:, columns] = original.weight * (deviation / network.feature_deviation)
    widened.bias.copy_(original.bias + original.weight @ ((mean - network.feature_mean) / network.feature_deviation))
    body[0] = widened
    return body
