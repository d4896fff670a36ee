"""Errors raised by ``vision``."""

from sneaker_assets.errors import SneakerError


class TrainingError(SneakerError, RuntimeError):
    """A model cannot be trained with these rows or settings; the message says why and what to do."""


class FeatureError(SneakerError, ValueError):
    """Features do not fit a model, or are not finite numbers; the message says which and what to do."""
