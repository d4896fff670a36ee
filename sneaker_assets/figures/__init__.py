"""Every figure, one function each: from a table to a Figure, in one style. Where it is kept is the caller's concern."""

from sneaker_assets.figures.attributes import residuals_by_attribute
from sneaker_assets.figures.gan import bands_beside_each_other, gan_losses, kid_over_epochs, samples_and_nearest
from sneaker_assets.figures.listings import (
    image_sample,
    leaks,
    price_histograms,
    prices_by_brand,
    prices_by_first_seen,
    prices_by_label,
)
from sneaker_assets.figures.price_model import (
    explained_predictions,
    leaderboard,
    learning_curve,
    learning_curves,
    predicted_against_actual,
    regularisation_path,
    residuals_and_calibration,
)
from sneaker_assets.figures.releases import ShoeOnPaper, backtest, priced_shoes
from sneaker_assets.figures.style import thumbnail, to_png
from sneaker_assets.figures.tuning import tuning_progress

__all__ = [
    "ShoeOnPaper",
    "backtest",
    "bands_beside_each_other",
    "explained_predictions",
    "gan_losses",
    "image_sample",
    "kid_over_epochs",
    "leaderboard",
    "leaks",
    "learning_curve",
    "learning_curves",
    "predicted_against_actual",
    "price_histograms",
    "priced_shoes",
    "prices_by_brand",
    "prices_by_first_seen",
    "prices_by_label",
    "regularisation_path",
    "residuals_and_calibration",
    "residuals_by_attribute",
    "samples_and_nearest",
    "thumbnail",
    "to_png",
    "tuning_progress",
]
