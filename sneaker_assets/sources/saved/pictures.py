"""Pictures in saved pages: which of the wanted ones a saved response or file is."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from sneaker_assets.crawl.images import ImageRecord, store_image
from sneaker_assets.lake import Lake
from sneaker_assets.sources.saved.folder import Problems, companion_folder, read_folder
from sneaker_assets.sources.saved.merging import ParsedPage
from sneaker_assets.sources.saved.records import Record, UnusableError

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".tif", ".tiff", ".bmp"})
"""Suffixes of paths that name a picture, whose query then only states how it is rendered."""


class Wanted:
    """Addresses of pictures, found by an address that may differ in its query.

    Args:
        urls: The addresses.
    """

    def __init__(self, urls: Iterable[str]) -> None:
        self._exact = frozenset(urls)
        keys = Counter(filter(None, map(_without_query, self._exact)))
        self._rendered = {key: url for url in self._exact if (key := _without_query(url)) and keys[key] == 1}

    def find(self, url: str) -> str | None:
        """The wanted address that a saved address means, None if there is none.

        It is the same address, or the only one that has the same host and path, if the path has the suffix of a
        picture.

        Args:
            url: Address of a saved response.
        """
        if url in self._exact:
            return url
        key = _without_query(url)
        return self._rendered.get(key) if key else None


def _without_query(url: str) -> str | None:
    """Host and path of a picture's address, None if the path does not name a picture."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if PurePosixPath(parts.path).suffix.lower() not in _SUFFIXES:
        return None
    return f"{(parts.hostname or '').lower()}{unquote(parts.path)}"


def stored_responses(
    folder: Path, wanted: Collection[str], lake: Lake, site: str, max_bytes: int
) -> dict[str, ImageRecord]:
    """Store the wanted pictures in saved responses; one picture is in memory at a time.

    Of several responses at the wanted address the last one is used; of several that differ from it in their query the
    largest picture.

    Args:
        folder: Folder of saved pages.
        wanted: Addresses of pictures.
        lake: Lake in which they are stored.
        site: Name of the site.
        max_bytes: Maximum size of a picture.

    Returns:
        Records by address.
    """
    index, best = Wanted(wanted), dict[str, tuple[tuple[bool, bool, float], ImageRecord]]()
    for _, record in read_folder(folder, Problems()):
        if not isinstance(record, Record) or (url := index.find(record.url)) is None:
            continue
        try:
            stored = store_image(record.content().read(max_bytes), lake, site, url)
        except UnusableError as error:
            stored = ImageRecord(site, url, problem=str(error))
        exact = record.url == url
        size = record.saved_at.timestamp() if exact else float(stored.width * stored.height)
        rank = (stored.problem is None, exact, size)
        if url not in best or rank > best[url][0]:
            best[url] = (rank, stored)
    return {url: record for url, (_, record) in best.items()}


def stored_companions(
    pages: Iterable[ParsedPage], wanted: Collection[str], lake: Lake, site: str, max_bytes: int
) -> dict[str, ImageRecord]:
    """Store the wanted pictures in the folders that a browser writes beside pages saved as ``Webpage, Complete``.

    The files have no address. A picture is found by its name, in the folder of a page that shows it, if no other
    product of the page has a picture of that name.

    Args:
        pages: Parsed pages of the site.
        wanted: Addresses of pictures.
        lake: Lake in which they are stored.
        site: Name of the site.
        max_bytes: Maximum size of a picture.

    Returns:
        Records of the usable pictures by address.
    """
    records: dict[str, ImageRecord] = {}
    for parsed in pages:
        for url, picture in _companions(parsed):
            if url not in wanted or picture.stat().st_size > max_bytes:
                continue
            record = store_image(picture.read_bytes(), lake, site, url)
            if record.problem is None:
                records[url] = record
    return records


def _companions(parsed: ParsedPage) -> Iterator[tuple[str, Path]]:
    """Addresses of the pictures that a page shows, each with the file of its name."""
    folder = companion_folder(parsed.file)
    if not folder.is_dir():
        return
    urls = sorted({listing.image_url for listing in parsed.page.listings} - {""})
    names = {url: unquote(PurePosixPath(urlsplit(url).path).name) for url in urls}
    times = Counter(names.values())
    for url, name in names.items():
        if name and "/" not in name and "\0" not in name and times[name] == 1 and (folder / name).is_file():
            yield url, folder / name
