"""The schema of every table in the lake, one pandera model each.

Validation before a write, the column schema that Dagster shows and the README's data dictionary all come from here.
How a table is stored is ``lake``'s concern; how its rows come about is the domain's.

pandera: https://pandera.readthedocs.io/en/stable/dataframe_models.html
"""

import pandas as pd

from sneaker_assets.tables.base import (
    DEAREST,
    FENCE_METHODS,
    LABEL_KINDS,
    REMOVAL_REASONS,
    RESOLUTIONS,
    SPLITS,
    LabelKind,
    Table,
    Timestamp,
)
from sneaker_assets.tables.data_set import (
    CleanListings,
    Listings,
    PriceFences,
    PriceStatistics,
    RemovedListings,
    Splits,
    TrainedRows,
    TwinConflicts,
)
from sneaker_assets.tables.generators import GanColourComparison, GanEvaluation
from sneaker_assets.tables.models import (
    PREDICTORS,
    STANDINGS,
    EvaluationMetrics,
    Leaderboard,
    LeakReport,
    OutlierAblation,
    ResidualAttributes,
    TunedHyperparameters,
)
from sneaker_assets.tables.releases import Backtest, ReleasePredictions, ReleaseReplay, Releases
from sneaker_assets.tables.scrapes import FxRates, ImageProperties, Images, Observations, PriceObservations

SCHEMAS: dict[str, type[Table]] = {
    "raw_scrapes": Observations,
    "scraped_images": Images,
    "fx_rates": FxRates,
    "price_observations": PriceObservations,
    "image_properties": ImageProperties,
    "listings": Listings,
    "clean_listings": CleanListings,
    "removed_listings": RemovedListings,
    "price_fences": PriceFences,
    "twin_conflicts": TwinConflicts,
    "splits": Splits,
    "trained_rows": TrainedRows,
    "price_statistics": PriceStatistics,
    "tuned_hyperparameters": TunedHyperparameters,
    "evaluation_metrics": EvaluationMetrics,
    "residual_attributes": ResidualAttributes,
    "finetuned_evaluation": EvaluationMetrics,
    "leak_report": LeakReport,
    "outlier_ablation": OutlierAblation,
    "model_leaderboard": Leaderboard,
    "gan_evaluation": GanEvaluation,
    "gan_colour_comparison": GanColourComparison,
    "releases": Releases,
    "release_predictions": ReleasePredictions,
    "prediction_backtest": Backtest,
    "release_replay": ReleaseReplay,
}
"""Asset name to the schema of the table it writes."""

RETAIL_CURRENCY = "USD"
"""Currency of StockX's retail prices in tables and crawl states that were written before each had its own."""


def with_added_columns(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """A table of the lake with the nullable columns that an earlier version of the package did not write.

    Args:
        name: Asset that wrote the table.
        frame: The table as stored.
    """
    columns = SCHEMAS[name].to_schema().columns if name in SCHEMAS else {}
    added = [key for key, column in columns.items() if column.nullable and key not in frame.columns]
    if not added:
        return frame
    filled = frame.assign(**{column: pd.Series(None, index=frame.index, dtype=object) for column in added})
    if "retail_currency" in added:
        stated = filled["currency"].where(filled["site"] != "stockx", RETAIL_CURRENCY)
        filled["retail_currency"] = stated.where(filled["retail_price"].notna())
    return filled[[*(key for key in columns if key in filled), *(key for key in filled if key not in columns)]]


__all__ = [
    "DEAREST",
    "FENCE_METHODS",
    "LABEL_KINDS",
    "PREDICTORS",
    "REMOVAL_REASONS",
    "RESOLUTIONS",
    "SCHEMAS",
    "SPLITS",
    "STANDINGS",
    "Backtest",
    "CleanListings",
    "EvaluationMetrics",
    "FxRates",
    "GanColourComparison",
    "GanEvaluation",
    "ImageProperties",
    "Images",
    "LabelKind",
    "Leaderboard",
    "LeakReport",
    "Listings",
    "Observations",
    "OutlierAblation",
    "PriceFences",
    "PriceObservations",
    "PriceStatistics",
    "ReleasePredictions",
    "ReleaseReplay",
    "Releases",
    "RemovedListings",
    "ResidualAttributes",
    "Splits",
    "Table",
    "Timestamp",
    "TrainedRows",
    "TunedHyperparameters",
    "TwinConflicts",
    "with_added_columns",
]
