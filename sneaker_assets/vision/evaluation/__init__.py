"""Evaluation: metrics, the model leaderboard, and studies of data leakage, outliers and residuals."""
