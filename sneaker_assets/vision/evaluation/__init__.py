"""Evaluation: metrics, the leaderboard, and studies of what a model learned."""
