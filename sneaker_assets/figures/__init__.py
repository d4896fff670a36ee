"""All figures: each function takes a table and returns a matplotlib ``Figure`` in a common style.

The modules are imported at the first use of a function, since matplotlib would otherwise be loaded by every process
that imports the asset definitions (PEP 562: https://peps.python.org/pep-0562/).
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    "ShoePanel",
    "backtest",
    "bands_on_the_same_noise",
    "compare_bands",
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
    "price_trends",
    "priced_shoes",
    "prices_across_sites",
    "prices_by_brand",
    "prices_by_first_seen",
    "prices_by_label",
    "regularisation_path",
    "residuals_and_calibration",
    "residuals_by_attribute",
    "samples_and_nearest",
    "samples_by_condition",
    "thumbnail",
    "to_png",
    "training_size_curve",
    "tuning_progress",
]

if TYPE_CHECKING:
    from sneaker_assets.figures.attributes import residuals_by_attribute
    from sneaker_assets.figures.gan import (
        bands_on_the_same_noise,
        compare_bands,
        gan_losses,
        kid_over_epochs,
        samples_and_nearest,
        samples_by_condition,
    )
    from sneaker_assets.figures.listings import (
        image_sample,
        leaks,
        price_histograms,
        price_trends,
        prices_across_sites,
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
        training_size_curve,
    )
    from sneaker_assets.figures.releases import ShoePanel, backtest, priced_shoes
    from sneaker_assets.figures.style import thumbnail, to_png
    from sneaker_assets.figures.tuning import tuning_progress
else:

    def __getattr__(name: str) -> object:
        """Import all figure modules at the first use of a public name, and return it.

        Raises:
            AttributeError: The name is not public.
        """
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        for module in ("attributes", "gan", "listings", "price_model", "releases", "style", "tuning"):
            members = vars(import_module(f"{__name__}.{module}"))
            globals().update({public: members[public] for public in __all__ if public in members})
        return globals()[name]
