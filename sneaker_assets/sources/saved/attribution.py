"""Which site a saved response belongs to: by its address, else by its folder, else by the adapter that parses it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urljoin

from sneaker_assets.sites import site_of_address
from sneaker_assets.sites.base import PageError, Site
from sneaker_assets.sites.parsing import host_of
from sneaker_assets.sources.saved.folder import ADDRESS
from sneaker_assets.sources.saved.records import UnusableError

_ADDRESS = re.compile(rb"https?://[^\s\"'<>]+")
_MAX_ADDRESS_FILE = 4096


class Attribution:
    """Sites of saved responses.

    Args:
        sites: Sites by name.
        folder: Folder of the saved pages.
    """

    def __init__(self, sites: Mapping[str, Site], folder: Path) -> None:
        self._sites, self._folder = sites, folder
        self._by_host: dict[str, str | None] = {}

    def site_of(self, url: str) -> str | None:
        """Name of the site that an address belongs to, None if it is none of the known ones."""
        host = host_of(url)
        if host not in self._by_host:
            site = site_of_address(url, self._sites)
            self._by_host[host] = None if site is None else site.name
        return self._by_host[host]

    def locate(self, file: Path, body: bytes) -> tuple[str, str]:
        """Site and address of a file that does not state its address.

        Args:
            file: The file. The address may be in a file beside it, such as ``search.json.url`` for ``search.json``.
            body: Its content.

        Returns:
            Name of the site, and the address; that of the site's first listing page if it is unknown.

        Raises:
            UnusableError: The site is unknown or ambiguous.
        """
        if address := _address_beside(file):
            site = self.site_of(address)
            if site is None:
                raise UnusableError(f"{file.name}{ADDRESS} has the address {address}, which is of no known site")
            return site, address
        named = [name for name in self._folders(file) if name in self._sites]
        recognised = named[:1] or list(self._recognised(body))
        if len(recognised) == 1:
            return recognised[0], self._first_page(recognised[0])
        why = f"several sites recognise it ({', '.join(recognised)})" if recognised else "no site recognises it"
        raise UnusableError(
            f"states no address and {why}: put it in a folder named after its site, or its address in "
            f"{file.name}{ADDRESS}"
        )

    def _folders(self, file: Path) -> Iterator[str]:
        """Names of the folders that contain a file, from the innermost to the folder of saved pages."""
        for folder in file.parents:
            yield folder.name
            if folder == self._folder:
                return

    def _recognised(self, body: bytes) -> Iterator[str]:
        for name, site in self._sites.items():
            try:
                page = site.parse_page(body, self._first_page(name))
            except PageError:
                continue
            if page.listings or page.excluded or page.details:
                yield name

    def _first_page(self, name: str) -> str:
        site = self._sites[name]
        return urljoin(site.home, site.start_path)


def _address_beside(file: Path) -> str | None:
    beside = file.with_name(file.name + ADDRESS)
    if not beside.is_file():
        return None
    with beside.open("rb") as content:
        found = _ADDRESS.search(content.read(_MAX_ADDRESS_FILE))
    return found[0].decode("utf-8", "replace") if found else None
