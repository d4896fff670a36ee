"""Model card: what is known about a price model, in Markdown."""

import pandas as pd


def model_card(training_card: str, metrics: pd.DataFrame, near_duplicates: int) -> str:
    """Model card with the results on the test listings.

    Source: Mitchell and others, "Model Cards for Model Reporting", 2019, arXiv 1810.03993.

    Args:
        training_card: The card written after training, ``card.md`` in the model's folder.
        metrics: ``tables.EvaluationMetrics`` of the model.
        near_duplicates: Number of test listings with a near duplicate in the training data.

    Returns:
        Markdown.
    """
    test = metrics[metrics["split"] == "test"]
    overall, groups = test[test["group"] == "all"], test[test["group"] != "all"]
    return "\n".join(
        [
            training_card,
            "## Accuracy on test listings",
            "",
            "The model was not trained on these listings. Figures in brackets are 95 % intervals.",
            "",
            _table(overall, ["predictor"]),
            "",
            "- MAE: average error in US dollars. RMSE: the same with large errors weighted more; MSE is its square.",
            "- MAPE and median APE: average and median error as a share of the price.",
            "- R2: 1 is a perfect prediction, 0 is no better than always predicting the average price.",
            "- coverage: share of the prices within the model's 90 % interval; the group `predicted_price` has it by",
            "  fifth of the predicted price, the lowest first.",
            "",
            "The baselines `mean`, `median` and `site_median` know only the prices of the training listings;",
            "`nearest_neighbour` takes the price of the most similar training image.",
            "",
            f"Test listings with a near duplicate in the training data: {near_duplicates}.",
            "",
            "## Accuracy by group of test listings",
            "",
            _table(groups, ["group", "member"]),
            "",
        ]
    )


def _table(metrics: pd.DataFrame, names: list[str]) -> str:
    """Markdown table of the metrics with their intervals, preceded by the columns ``names``."""
    shown = metrics[[*names, "n"]].assign(
        MSE=_with_interval(metrics, "mse", "{:,.0f}"),
        RMSE=_with_interval(metrics, "rmse", "${:,.0f}"),
        MAE=_with_interval(metrics, "mae", "${:,.0f}"),
        MAPE=_with_interval(metrics, "mape", "{:.0f} %"),
        median_APE=_with_interval(metrics, "median_ape", "{:.0f} %"),
        R2=_with_interval(metrics, "r2", "{:.2f}"),
        coverage=metrics["coverage"].map("{:.1%}".format, na_action="ignore").fillna(""),
    )
    return str(shown.to_markdown(index=False))


def _with_interval(metrics: pd.DataFrame, name: str, form: str) -> list[str]:
    triples = metrics[[name, f"{name}_low", f"{name}_high"]].to_numpy(dtype=float)
    return [f"{form.format(value)} ({form.format(low)} to {form.format(high)})" for value, low, high in triples]
