"""Where samples lie among real images: inside their manifold, close to one of them, close to each other.

All on features, whichever they are; what they are made with is ``quality``'s concern. Own code, since no kept library
takes precomputed features for it.
"""

import torch
from torch import Tensor

NEIGHBOURS = 3
"""The k of the k-th neighbour that bounds a point's share of the manifold, as in the paper."""


def precision_and_recall(real: Tensor, generated: Tensor, k: int = NEIGHBOURS) -> tuple[float, float]:
    """How many samples look real, and how much of what is real is drawn.

    A point is inside a set's manifold if it is no further from one of the set's points than that point's ``k``-th
    neighbour in the set.

    Kynkäänniemi and others: Improved Precision and Recall Metric for Assessing Generative Models (2019),
    https://arxiv.org/abs/1904.06991

    Args:
        real: features [N, D] of real images, N above ``k``.
        generated: features [M, D] of samples, M above ``k``.
        k: which neighbour.

    Returns:
        Precision, the share of samples inside the real manifold, and recall, the share of real images inside the
        samples' manifold.
    """
    apart = torch.cdist(generated, real)
    precision = (apart <= _radii(real, k)).any(dim=1).float().mean()
    recall = (_radii(generated, k) >= apart.T).any(dim=1).float().mean()
    return float(precision), float(recall)


def nearest(points: Tensor, known: Tensor, count: int = 1) -> tuple[Tensor, Tensor]:
    """The known points nearest to each point, nearest first.

    Args:
        points: [N, D].
        known: [M, D].
        count: how many, at most M.

    Returns:
        Distances, float32 [N, count], and rows of ``known``, int64 [N, count].
    """
    found = torch.cdist(points, known).topk(count, dim=1, largest=False)
    return found.values, found.indices


def spread(points: Tensor) -> float:
    """The median distance from a point of [N, D] to the nearest other one: near 0 where all are the same few."""
    return float(_radii(points, 1).median())


def _radii(points: Tensor, k: int) -> Tensor:
    """The distance from each point to its ``k``-th neighbour; the nearest of all is the point itself."""
    return torch.cdist(points, points).kthvalue(k + 1, dim=1).values
