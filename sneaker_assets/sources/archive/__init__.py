"""Source of listings in tables of any kind: CSV, TSV, JSON lines and Parquet, plain or compressed.

- ``files`` finds and decompresses tables, ``text`` decodes them, and ``tables`` reads them as data frames of text.
- ``mapping`` is what the user states of their columns, ``headers`` and ``guess`` find the others.
- ``amounts``, ``dates`` and ``values`` parse cells, ``rows`` makes observations of them.
- ``images`` opens and stores images, ``archive`` combines the tables of a folder, ``source`` is the interface.
- ``check`` describes what would be read.
"""

from sneaker_assets.sources.archive.errors import ArchiveError
from sneaker_assets.sources.archive.mapping import ArchiveColumns, ArchiveMapping
from sneaker_assets.sources.archive.source import ArchiveSource

__all__ = ["ArchiveColumns", "ArchiveError", "ArchiveMapping", "ArchiveSource"]
