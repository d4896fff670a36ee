"""Errors raised by ``gan``."""

from sneaker_assets.errors import SneakerError


class GanError(SneakerError, ValueError):
    """Images, networks or settings of a GAN do not fit each other; the message says what to do."""
