"""Which of the evaluated backbones is best. How they were scored is ``evaluation``'s concern."""

import pandas as pd


def rank_models(metrics: pd.DataFrame) -> pd.DataFrame:
    """Order the evaluated backbones by validation error; the first is the champion.

    Args:
        metrics: ``tables.EvaluationMetrics`` of all backbones evaluated.

    Returns:
        ``tables.Leaderboard``.
    """
    metrics = metrics[metrics["group"] == "all"]
    scores = metrics.pivot_table(index="backbone", columns=["predictor", "split"], values=["rmse", "mae", "mape", "r2"])
    identity = metrics.drop_duplicates("backbone").set_index("backbone")[["weights", "model"]]
    board = identity.assign(
        validation_rmse=scores["rmse", "model", "validation"],
        test_rmse=scores["rmse", "model", "test"],
        test_mae=scores["mae", "model", "test"],
        test_mape=scores["mape", "model", "test"],
        test_r2=scores["r2", "model", "test"],
        mean_test_rmse=scores["rmse", "mean", "test"],
    )
    board = board.sort_values("validation_rmse", kind="stable").reset_index()
    board.insert(0, "rank", range(1, len(board) + 1))
    board.insert(4, "champion", board["rank"] == 1)
    return board
