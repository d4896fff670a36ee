"""Schemas of all tables in the lake, one pandera model each.

Tables are validated against them before they are written; the data dictionary (``TABLES.md``) and the column schemas in
Dagster's UI are generated from them. The schemas are imported at their first use, since pandera takes a quarter as long
to import as Dagster and only steps that validate a table need it (PEP 562: https://peps.python.org/pep-0562/). Modules
that are imported with the asset definitions therefore write ``tables.Listings`` where they use a schema, instead of
importing the class.

pandera: https://pandera.readthedocs.io/en/stable/dataframe_models.html
"""

from importlib import import_module
from typing import TYPE_CHECKING

from sneaker_assets.tables.columns import Column, columns_by_asset
from sneaker_assets.tables.values import (
    CONDITIONS,
    FENCE_METHODS,
    LABEL_KINDS,
    MAX_PRICE,
    PREDICTORS,
    REMOVAL_REASONS,
    RESOLUTIONS,
    SIZE_SYSTEMS,
    SPLITS,
    STANDINGS,
    Condition,
    LabelKind,
    SizeSystem,
)

__all__ = [
    "CONDITIONS",
    "FENCE_METHODS",
    "LABEL_KINDS",
    "MAX_PRICE",
    "PREDICTORS",
    "REMOVAL_REASONS",
    "RESOLUTIONS",
    "SCHEMAS",
    "SIZE_SYSTEMS",
    "SPLITS",
    "STANDINGS",
    "Backtest",
    "CleanListings",
    "Column",
    "Condition",
    "EvaluationMetrics",
    "FxRates",
    "GanColourComparison",
    "GanEvaluation",
    "ImageProperties",
    "Images",
    "LabelConflicts",
    "LabelKind",
    "Leaderboard",
    "LeakReport",
    "Listings",
    "Observations",
    "OutlierAblation",
    "PriceFences",
    "PriceObservations",
    "PriceStatistics",
    "PriceTrends",
    "ReleasePredictions",
    "ReleaseReplay",
    "Releases",
    "RemovedListings",
    "ResidualAttributes",
    "Shoes",
    "SizeSystem",
    "Splits",
    "Table",
    "TrainedRows",
    "TrainingSizeCurve",
    "TunedHyperparameters",
    "columns_by_asset",
]

if TYPE_CHECKING:
    from sneaker_assets.tables.base import Table
    from sneaker_assets.tables.data_set import (
        CleanListings,
        LabelConflicts,
        Listings,
        PriceFences,
        PriceStatistics,
        PriceTrends,
        RemovedListings,
        Shoes,
        Splits,
        TrainedRows,
    )
    from sneaker_assets.tables.generators import GanColourComparison, GanEvaluation
    from sneaker_assets.tables.models import (
        EvaluationMetrics,
        Leaderboard,
        LeakReport,
        OutlierAblation,
        ResidualAttributes,
        TrainingSizeCurve,
        TunedHyperparameters,
    )
    from sneaker_assets.tables.releases import Backtest, ReleasePredictions, ReleaseReplay, Releases
    from sneaker_assets.tables.schemas import SCHEMAS
    from sneaker_assets.tables.scrapes import FxRates, ImageProperties, Images, Observations, PriceObservations
else:

    def __getattr__(name: str) -> object:
        """Import the schemas at the first use of one of them.

        Raises:
            AttributeError: The name is not public.
        """
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.schemas"), name)
