"""sneaker_assets: from shoe listings to resale prices, predictions and generated shoes.

The public API is imported lazily, so that ``import sneaker_assets`` loads neither torch nor pandas nor Dagster:

    >>> from sneaker_assets import load_champion
    >>> load_champion("data_lake").price("photo.jpg").price  # doctest: +SKIP
    644.2

The packages form two layers. ``definitions``, ``cli.pipeline``, ``automation``, ``assets`` and ``resources`` know
Dagster and are thin. The domain below them (``sites``, ``crawl``, ``market``, ``near_duplicates``, ``vision``, ``gan``,
``figures``, ``demo_shop``) never imports it.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sneaker_assets.errors import SneakerError
    from sneaker_assets.gan.generator import Generator
    from sneaker_assets.lake import Lake
    from sneaker_assets.vision.pricing.ensemble_model import EnsembleModel
    from sneaker_assets.vision.pricing.price_model import PriceModel
    from sneaker_assets.vision.pricing.pricer import PricedPicture, Pricer, load_champion

    __version__: str

# Idle OpenMP threads that spin take processor time from other processes; torch reads this when it is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

_MODULES = {
    "EnsembleModel": "sneaker_assets.vision.pricing.ensemble_model",
    "Generator": "sneaker_assets.gan.generator",
    "Lake": "sneaker_assets.lake",
    "PriceModel": "sneaker_assets.vision.pricing.price_model",
    "PricedPicture": "sneaker_assets.vision.pricing.pricer",
    "Pricer": "sneaker_assets.vision.pricing.pricer",
    "SneakerError": "sneaker_assets.errors",
    "load_champion": "sneaker_assets.vision.pricing.pricer",
}

__all__ = [
    "EnsembleModel",
    "Generator",
    "Lake",
    "PriceModel",
    "PricedPicture",
    "Pricer",
    "SneakerError",
    "__version__",
    "load_champion",
]


if not TYPE_CHECKING:  # a type checker would take every name for one of the API

    def __getattr__(name: str) -> object:
        """Import a name of the public API on first use (PEP 562).

        Raises:
            AttributeError: The API has no such name.
        """
        if name == "__version__":
            value: object = import_module("importlib.metadata").version("sneaker-assets")
        elif name in _MODULES:
            value = getattr(import_module(_MODULES[name]), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """The names of the module, with those not imported yet."""
    return sorted({*globals(), *__all__})
