"""A head that is a network and a kernel ridge on the same features, a share of each, chosen on validation rows.

The two err in different places, so that their mean errs less than either. How each is fitted is the concern of
``training``, ``ridge`` and ``finetune``.
"""

import copy
import logging
import math
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from sneaker_assets.vision.heads.networks import EnsembleBody, KernelBody, PriceHead
from sneaker_assets.vision.heads.training_rows import Rows

logger = logging.getLogger(__name__)

SHARES = [number / 20 for number in range(21)]
"""Of the network, that are tried."""


@torch.no_grad()
def mix(
    network: PriceHead, kernel: PriceHead, features: Tensor, rows: Rows, columns: slice = slice(None)
) -> tuple[PriceHead, dict[str, float]]:
    """Both heads as one.

    Args:
        network: A pooled head.
        kernel: A kernel ridge with the same target.
        features: float32 [N, D], raw, averaged over the views: what the kernel takes.
        rows: Which of them were trained on, and which are validated on.
        columns: Those of the features that the network takes.

    Returns:
        The head, which takes all features, and what came of it: ``network_share``, the ``train_mse`` and
        ``validation_mse`` of the whole (US dollars squared), and the validation RMSE of each part.
    """
    head, train, held_out = copy.deepcopy(kernel), rows.train, rows.validation
    body = EnsembleBody(_on_all(network, kernel, columns), cast("KernelBody", head.body))
    head.body = body
    standardised = (features[held_out] - head.feature_mean) / head.feature_deviation
    by_kernel, by_network = body.kernel(standardised), body.network(standardised)
    errors = [_error(head, torch.lerp(by_kernel, by_network, share), rows.prices[held_out]) for share in SHARES]
    best = int(np.argmin(errors))
    body.share.fill_(SHARES[best])
    validation_mse = _error(head, body(standardised), rows.prices[held_out])
    scores = {
        "network_share": SHARES[best],
        "network_rmse": math.sqrt(errors[-1]),
        "kernel_rmse": math.sqrt(errors[0]),
        "train_mse": float((head(features[train]) - rows.prices[train]).square().mean()),
        "validation_mse": validation_mse,
    }
    logger.info("head: %s", ", ".join(f"{name} {value:.4g}" for name, value in scores.items()))
    return head.eval(), scores


def _error(head: PriceHead, expected: Tensor, true: Tensor) -> float:
    """Mean squared error, US dollars squared; leaves the head with these rows' smearing factor."""
    head.fit_smearing(expected, true)
    return float((head.dollars(expected) - true).square().mean())


def _on_all(network: PriceHead, kernel: PriceHead, columns: slice) -> nn.Sequential:
    """The network's body as one that takes all features, standardised as the kernel's are."""
    body = copy.deepcopy(cast("nn.Sequential", network.body))
    own = cast("nn.Linear", body[0])
    mean, deviation = kernel.feature_mean[columns], kernel.feature_deviation[columns]
    first = nn.Linear(len(kernel.feature_mean), own.out_features)
    first.weight.zero_()
    first.weight[:, columns] = own.weight * (deviation / network.feature_deviation)
    first.bias.copy_(own.bias + own.weight @ ((mean - network.feature_mean) / network.feature_deviation))
    body[0] = first
    return body
