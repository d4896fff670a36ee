"""The model card: everything that is known of a model, in Markdown. Where it is shown is the caller's concern."""

import pandas as pd

from sneaker_assets.vision.evaluation.evaluate import BASELINES


def model_card(training_card: str, metrics: pd.DataFrame, leaks: int) -> str:
    """The card of the training with the evaluation's figures below it.

    Args:
        training_card: ``card.md`` of the model.
        metrics: ``tables.EvaluationMetrics`` of the model.
        leaks: Test rows with a twin in train.
    """
    test = metrics[metrics["split"] == "test"]
    overall, groups = test[test["group"] == "all"], test[test["group"] != "all"]
    return "\n".join(
        [
            training_card,
            "## On test rows, with 95 % intervals",
            "",
            _table(overall, ["predictor"]),
            "",
            f"The baselines ({', '.join(BASELINES)}) know the training prices, and the last one the pictures.",
            f"Test rows with a twin in train: {leaks}.",
            "",
            "## By group",
            "",
            _table(groups, ["group", "member"]),
            "",
        ]
    )


def _table(metrics: pd.DataFrame, names: list[str]) -> str:
    shown = metrics[[*names, "n"]].assign(
        MSE=_bounded(metrics, "mse", "{:,.0f}"),
        RMSE=_bounded(metrics, "rmse", "${:,.0f}"),
        MAE=_bounded(metrics, "mae", "${:,.0f}"),
        MAPE=_bounded(metrics, "mape", "{:.0f} %"),
        median_APE=_bounded(metrics, "median_ape", "{:.0f} %"),
        R2=_bounded(metrics, "r2", "{:.2f}"),
        coverage=metrics["coverage"].map("{:.1%}".format, na_action="ignore").fillna(""),
    )
    return str(shown.to_markdown(index=False))


def _bounded(metrics: pd.DataFrame, name: str, form: str) -> list[str]:
    triples = metrics[[name, f"{name}_low", f"{name}_high"]].to_numpy(dtype=float)
    return [f"{form.format(value)} ({form.format(low)} to {form.format(high)})" for value, low, high in triples]
