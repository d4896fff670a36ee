"""Errors of an archive."""

from sneaker_assets.sources.base import SourceError


class ArchiveError(SourceError):
    """The archive cannot be read; the message is one line with the remedy."""


class NoListingsError(ArchiveError):
    """A file is not a table of listings; it is left out if another one of the archive is."""
