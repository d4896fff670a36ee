"""Errors raised by ``vision``."""

from sneaker_assets.errors import SneakerError


class TrainingError(SneakerError, RuntimeError):
    """A head cannot be trained on these rows; the message says why and what to do."""
