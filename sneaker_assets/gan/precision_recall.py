"""Precision and recall of samples, and nearest neighbours, in any feature space.

Implemented here because torchmetrics has no precision and recall for precomputed features.
"""

import torch
from torch import Tensor

K = 3
"""Each point's hypersphere reaches to its K-th nearest neighbour, as in the paper."""


def precision_and_recall(real: Tensor, generated: Tensor, k: int = K) -> tuple[float, float]:
    """Fidelity and coverage of samples, measured by estimates of both manifolds.

    The manifold of a set is approximated by one hypersphere around each of its points, which reaches to the point's
    ``k``-th nearest neighbour in the set.

    Kynkäänniemi, Karras, Laine, Lehtinen, Aila: Improved Precision and Recall Metric for Assessing Generative Models
    (2019), https://arxiv.org/abs/1904.06991

    Args:
        real: Features [N, D] of real images, N > ``k``.
        generated: Features [M, D] of samples, M > ``k``.
        k: Which neighbour sets the radius.

    Returns:
        Precision, the share of samples inside the manifold of the real images, and recall, the share of real images
        inside the manifold of the samples.
    """
    distances = torch.cdist(generated, real)
    precision = (distances <= _radii(real, k)).any(dim=1).float().mean()
    recall = (_radii(generated, k) >= distances.T).any(dim=1).float().mean()
    return float(precision), float(recall)


def nearest_neighbours(queries: Tensor, points: Tensor, count: int = 1) -> tuple[Tensor, Tensor]:
    """Nearest points to each query by Euclidean distance, nearest first.

    Args:
        queries: [N, D].
        points: [M, D].
        count: Neighbours per query, at most M.

    Returns:
        Distances, float32 [N, count], and indices into ``points``, int64 [N, count].
    """
    nearest = torch.cdist(queries, points).topk(count, dim=1, largest=False)
    return nearest.values, nearest.indices


def median_neighbour_distance(points: Tensor) -> float:
    """Median distance from each point of [N, D] to its nearest other point; near 0 under mode collapse."""
    return float(_radii(points, 1).median())


def _radii(points: Tensor, k: int) -> Tensor:
    """Distance from each point to its ``k``-th nearest neighbour, not counting itself."""
    return torch.cdist(points, points).kthvalue(k + 1, dim=1).values
