"""Experiment tracking with MLflow, for those who set ``MLFLOW_TRACKING_URI``. Without it, MLflow is never imported."""
