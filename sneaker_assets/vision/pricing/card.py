"""Training cards: what is known about a price model after its training, in Markdown."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pandas as pd

from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.heads.conformal import Interval


def training_card(settings: Mapping[str, Any], metrics: Mapping[str, float]) -> str:
    """Card of a model on one backbone.

    Args:
        settings: The content of the model's ``config.json``.
        metrics: The content of its ``metrics.json``.

    Returns:
        Markdown.
    """
    features, head, rows = settings["features"], settings["head"], settings["rows"]
    height, width = features["frame"]
    return (
        f"# Price model on {features['backbone']}\n\n"
        f"Weights of the backbone: {WeightsSource.parse(features['weights'])}.\n\n"
        f"Predicts a shoe's resale price in US dollars from one product picture ({height}x{width} pixels, "
        f"{features['fit']}; views: {', '.join(settings['views'])}). Head: {head['kind']}{_shares(metrics)}, target in "
        f"{head['target']}. Rows: {rows}. Validation RMSE ${metrics['validation_rmse']:.0f}, training RMSE "
        f"${metrics['train_rmse']:.0f}.\n\n"
        f"{_limits(settings)}"
    )


def ensemble_card(settings: Mapping[str, Any], metrics: Mapping[str, float], members: pd.DataFrame) -> str:
    """Card of an ensemble.

    Args:
        settings: The content of the ensemble's ``config.json``.
        metrics: The content of its ``metrics.json``.
        members: Its ``history.parquet``.

    Returns:
        Markdown.
    """
    shown = members.assign(share=members["share"].map("{:.0%}".format)).to_markdown(index=False, floatfmt=".0f")
    return (
        "# Ensemble of price models\n\n"
        "Predicts a shoe's resale price in US dollars from one product picture: the weighted mean of the prices of its "
        "members, with the weights of the lowest error on the validation rows.\n\n"
        f"{shown}\n\n"
        f"Rows: {settings['rows']}. Validation RMSE ${metrics['validation_rmse']:.0f}, which the choice of the weights "
        f"makes optimistic; of the best member ${metrics['best_member_rmse']:.0f}.\n\n"
        f"{_limits(settings)}"
    )


def _limits(settings: Mapping[str, Any]) -> str:
    """Price range and prediction interval, and what the model does not know."""
    lowest, highest = settings["price_range"]
    return (
        f"Predictions are clipped to the range of the training prices, ${lowest:,.0f} to ${highest:,.0f}.\n\n"
        f"90 % prediction interval, by predicted price, calibrated on {settings['interval']['calibrated_on']}:\n\n"
        f"{_interval_table(Interval.from_dict(settings['interval']))}\n\n"
        "Trained on product shots on white; size, condition and demand are not inputs.\n"
    )


def _interval_table(interval: Interval) -> str:
    """Markdown table of the bounds in each bin of the predicted price."""
    edges = [f"${edge:,.0f}" for edge in interval.edges]
    bins = [f"below {edges[0]}", *map(" to ".join, pairwise(edges)), f"from {edges[-1]}"] if edges else ["any"]
    factors = [f"{low:.2f} to {high:.2f}" for low, high in zip(interval.low, interval.high, strict=True)]
    return pd.DataFrame({"predicted price": bins, "times the prediction": factors}).to_markdown(index=False)


def _shares(metrics: Mapping[str, float]) -> str:
    if "network_share" not in metrics:
        return ""
    return f" ({metrics['network_share']:.0%} of the network's price, the rest of the kernel ridge's)"
