"""Ensembles: weighted means of price models, with the weights that minimize the validation error."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from sneaker_assets.vision.errors import TrainingError


def ensemble_weights(predictions: NDArray[np.float64], prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the weighted mean of predictions with the lowest mean squared error.

    For weights w that sum to one, the errors of the mean are the mean of the errors R w. Nonnegative least squares on
    R with an additional row of ones and target one finds a multiple of the optimum: scaled to the best length, a
    direction with error e costs e / (1 + e), which grows with e.

    Source: Breiman, "Stacked Regressions", Machine Learning 24, 1996, for nonnegative weights.

    Args:
        predictions: float64 [members, N], US dollars, of rows that the members were not fitted to.
        prices: float64 [N], US dollars.

    Returns:
        float64 [members], nonnegative, with sum one.

    Raises:
        TrainingError: There are no rows, or a prediction or price is not finite.
    """
    residuals = (predictions - prices).T
    n_missing = int((~np.isfinite(residuals)).sum())
    if not residuals.size or n_missing:
        raise TrainingError(
            f"an ensemble cannot be weighted on {len(prices)} rows with {n_missing} predictions that are not finite: "
            "it needs finite predictions of at least one row"
        )
    scale = max(float(np.linalg.norm(residuals)), np.finfo(float).tiny)
    equations = np.vstack([residuals / scale, np.ones(residuals.shape[1])])
    target = np.append(np.zeros(len(residuals)), 1.0)
    multiple: NDArray[np.float64] = nnls(equations, target)[0]
    return multiple / multiple.sum()
