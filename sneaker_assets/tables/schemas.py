"""The schema of each asset's table."""

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
from sneaker_assets.tables.generators import ConditionalGanEvaluation, GanColourComparison, GanEvaluation
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
from sneaker_assets.tables.scrapes import FxRates, ImageProperties, Images, Observations, PriceObservations

SCHEMAS: dict[str, type[Table]] = {
    "raw_scrapes": Observations,
    "scraped_images": Images,
    "fx_rates": FxRates,
    "price_observations": PriceObservations,
    "price_trends": PriceTrends,
    "image_properties": ImageProperties,
    "listings": Listings,
    "shoes": Shoes,
    "clean_listings": CleanListings,
    "removed_listings": RemovedListings,
    "price_fences": PriceFences,
    "twin_conflicts": LabelConflicts,
    "splits": Splits,
    "trained_rows": TrainedRows,
    "price_statistics": PriceStatistics,
    "tuned_hyperparameters": TunedHyperparameters,
    "evaluation_metrics": EvaluationMetrics,
    "residual_attributes": ResidualAttributes,
    "finetuned_evaluation": EvaluationMetrics,
    "ensemble_evaluation": EvaluationMetrics,
    "leak_report": LeakReport,
    "outlier_ablation": OutlierAblation,
    "training_size_curve": TrainingSizeCurve,
    "model_leaderboard": Leaderboard,
    "gan_evaluation": GanEvaluation,
    "gan_colour_comparison": GanColourComparison,
    "conditional_gan_evaluation": ConditionalGanEvaluation,
    "releases": Releases,
    "release_predictions": ReleasePredictions,
    "prediction_backtest": Backtest,
    "release_replay": ReleaseReplay,
}
"""Schema of the table that each asset writes, by asset name."""
