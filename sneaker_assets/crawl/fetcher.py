"""One polite HTTP client a site: every request allowed by robots.txt, spaced by the gate, bounded in time and bytes.

What is fetched, in which order and what it means is the callers' concern. When a request may leave is ``gate``'s,
whether it may at all ``robots``'s.

requests: https://requests.readthedocs.io/en/latest/user/advanced/
"""

import http.client
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from sneaker_assets.crawl.errors import CrawlPaused, CrawlStopped, FetchError, SiteBlocked
from sneaker_assets.crawl.gate import Gate, retry_after_seconds
from sneaker_assets.crawl.refusals import is_refusal
from sneaker_assets.crawl.robots import Robots
from sneaker_assets.sites.base import Site

__all__ = ["CrawlPaused", "CrawlStopped", "FetchError", "FetchSettings", "Fetcher", "Response", "SiteBlocked"]

AGENT = "sneaker-assets"
RETRIED = frozenset({429, 500, 502, 503, 504})
OVERLOADED = frozenset({429, 503})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 5
CHUNK = 65_536

_BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """How sites are fetched; times in seconds, sizes in bytes.

    Attributes:
        contact: an address or page in the user agent, where a site's owner can reach us; a live crawl needs it.
        delay: least time between two requests to one host.
        attempts: how often one address is tried.
        backoff: pause after the first failed attempt; it doubles with each further one.
        hold_cap: longest Retry-After that is waited for; a longer one pauses the crawl.
        timeout: longest silence of a server.
        deadline: longest time for a whole response.
        max_page_bytes: longest page, inflated.
        max_image_bytes: largest image file.
        allow_loopback: the offline shop's mode, where this machine's own addresses may be fetched.
    """

    contact: str = ""
    delay: float = 2.0
    attempts: int = 5
    backoff: float = 1.0
    hold_cap: float = 300.0
    timeout: float = 20.0
    deadline: float = 60.0
    max_page_bytes: int = 20_000_000
    max_image_bytes: int = 20_000_000
    allow_loopback: bool = False

    @property
    def user_agent(self) -> str:
        """Who asks, and how to reach us."""
        return f"{AGENT} (+{self.contact})" if self.contact else AGENT


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response; header names are case-insensitive, ``status`` 304 has an empty body."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    fetched_at: datetime


class Fetcher:
    """Fetches pages and images of one site, from any number of threads.

    Args:
        site: whose home and image hosts are the only ones asked.
        settings: how.
        home: where the site is found, if not at its own home.

    Raises:
        ValueError: a live crawl without a contact.
    """

    def __init__(self, site: Site, settings: FetchSettings, home: str | None = None) -> None:
        if not settings.contact and not settings.allow_loopback:
            raise ValueError("a live crawl needs a contact in its user agent: set FetchSettings.contact")
        self._site, self._settings = site, settings
        self._page_hosts = frozenset({urlsplit(home or site.home).netloc.lower()})
        self._image_hosts = site.image_hosts | self._page_hosts
        self._gate = Gate(settings.delay, settings.hold_cap)
        self._robots = Robots(AGENT, self._read_robots, self._gate.slow_down)
        self._threads = threading.local()
        self._lock = threading.Lock()
        self._refused: str | None = None
        self._requests = self._bytes = 0

    def page(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:
        """Fetch a page; with the validators of an earlier response, a page that did not change has status 304.

        Raises:
            FetchError: this address could not be fetched.
            CrawlStopped: the site asked us to go away, for now or altogether.
        """
        validators = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        headers = {name: value for name, value in validators.items() if value is not None}
        return self._get(url, self._page_hosts, self._settings.max_page_bytes, headers)

    def image(self, url: str) -> bytes:
        """Fetch an image file, as it is and unchecked; raises what :meth:`page` does."""
        headers = {"Accept": "image/jpeg,image/png;q=0.9,image/webp;q=0.8", "Accept-Encoding": "identity"}
        return self._get(url, self._image_hosts, self._settings.max_image_bytes, headers).body

    def summary(self) -> str:
        """What was asked of the site so far, in words for a log line."""
        return f"{self._requests:,} requests, {self._bytes / 1e6:,.1f} MB, {self._gate.held_back:,} held back"

    def _get(self, url: str, hosts: frozenset[str], max_bytes: int, headers: dict[str, str]) -> Response:
        response = self._follow(url, hosts, max_bytes, headers, self._robots.allows)
        if response.status in (401, 403) or (_is_html(response) and is_refusal(response.body)):
            self._refused = f"{self._site.name} refuses us: {response.url} answered {response.status} without content"
            raise SiteBlocked(self._refused)
        if response.status not in (200, 304):
            raise FetchError(f"{response.url} answered {response.status}")
        return response

    def _read_robots(self, url: str) -> tuple[int, str]:
        try:
            response = self._follow(url, self._image_hosts, self._settings.max_page_bytes, {}, lambda _: True)
        except FetchError:
            return 503, ""
        refused = response.status == 200 and is_refusal(response.body)
        return (503 if refused else response.status), response.body.decode("utf-8", "replace")

    def _follow(
        self,
        url: str,
        hosts: frozenset[str],
        max_bytes: int,
        headers: dict[str, str],
        allows: Callable[[str], bool],
    ) -> Response:
        """The response at the end of the redirects, each of which must lead to an allowed address."""
        for _ in range(MAX_REDIRECTS + 1):
            self._check_address(url, hosts)
            if not allows(url):
                raise FetchError(f"{url}: robots.txt does not allow it")
            response = self._retrying(url, max_bytes, headers)
            if response.status not in REDIRECTS:
                return response
            url = urljoin(url, response.headers.get("Location", ""))
        raise FetchError(f"{url}: more than {MAX_REDIRECTS} redirects")

    def _check_address(self, url: str, hosts: frozenset[str]) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.netloc.lower() not in hosts:
            raise FetchError(f"{url} lies outside {self._site.name}: only {', '.join(sorted(hosts))} may be asked")
        if not self._settings.allow_loopback and not _is_public(parts.hostname or ""):
            raise FetchError(f"{url} leads to a private address")

    def _retrying(self, url: str, max_bytes: int, headers: dict[str, str]) -> Response:
        """The response to one address, tried again after what may pass."""
        host, settings = urlsplit(url).netloc.lower(), self._settings
        problem, pause = "", 0.0
        for attempt in range(settings.attempts):
            time.sleep(pause)
            self._gate.wait(host)
            if self._refused:
                raise SiteBlocked(self._refused)
            pause = settings.backoff * 2**attempt
            try:
                response = self._attempt(url, max_bytes, headers)
            except FetchError:
                raise
            except _BROKEN as error:
                problem = " ".join(str(error).split())
                continue
            if response.status not in RETRIED:
                return response
            problem = f"answered {response.status}"
            asked = retry_after_seconds(response.headers.get("Retry-After"))
            if asked is not None or response.status in OVERLOADED:
                self._gate.hold(host, pause if asked is None else asked)
                pause = 0.0
        if problem == "answered 429":
            raise CrawlPaused(host, datetime.now(UTC) + timedelta(seconds=settings.hold_cap))
        raise FetchError(f"{url}: {problem} ({settings.attempts} attempts)")

    def _attempt(self, url: str, max_bytes: int, headers: dict[str, str]) -> Response:
        with self._lock:
            self._requests += 1
        deadline = time.monotonic() + self._settings.deadline
        with self._session().get(
            url, headers=headers, stream=True, allow_redirects=False, timeout=self._settings.timeout
        ) as response:
            body = self._read(response, max_bytes, deadline)
        with self._lock:
            self._bytes += len(body)
        return Response(url, response.status_code, response.headers, body, datetime.now(UTC))

    def _read(self, response: requests.Response, max_bytes: int, deadline: float) -> bytes:
        """The whole body. ``read1`` returns what has arrived, so that a drip cannot outlast the deadline."""
        body = bytearray()
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > max_bytes:
                raise FetchError(f"{response.url} is longer than {max_bytes:,} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError(f"took longer than {self._settings.deadline:g} s")
        return bytes(body)

    def _session(self) -> requests.Session:
        """This thread's session; loopback needs no proxy."""
        if not hasattr(self._threads, "session"):
            session = requests.Session()
            session.headers["User-Agent"] = self._settings.user_agent
            session.trust_env = not self._settings.allow_loopback
            self._threads.session = session
        kept: requests.Session = self._threads.session
        return kept


def _is_html(response: Response) -> bool:
    return "html" in response.headers.get("Content-Type", "").lower()


def _is_public(host: str) -> bool:
    """Whether every address of the host is a public one; a name without any is left for the connection to report."""
    try:
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except OSError:
        return True
    return all(ipaddress.ip_address(info[4][0]).is_global for info in found)
