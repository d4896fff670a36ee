"""Errors raised by ``vision``."""


class TrainingError(RuntimeError):
    """A head cannot be trained on these rows; the message says why and what to do."""
