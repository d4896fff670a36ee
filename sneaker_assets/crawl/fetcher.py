"""One polite HTTP client a site: every request allowed by robots.txt, given a turn by the gate, bounded in bytes.

What is fetched, in which order and what it means is the callers' concern. When a request may leave is ``gate``'s,
whether it may at all ``robots``'s, how long it may take and where it may lead ``transport``'s.

requests: https://requests.readthedocs.io/en/latest/user/advanced/
"""

import http.client
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from sneaker_assets.crawl.circuit_breaker import CircuitBreaker, is_html, is_block_page
from sneaker_assets.crawl.errors import (
    CrawlPaused,
    CredentialsRefused,
    FetchError,
    ForeignAddressError,
    UnreachableError,
)
from sneaker_assets.crawl.rate_limiter import MAX_HOLD, Gate, retry_after_seconds
from sneaker_assets.crawl.http import NO_VALIDATORS, Response, Validators
from sneaker_assets.crawl.robots import Robots
from sneaker_assets.crawl.settings import AGENT, FetchSettings
from sneaker_assets.crawl.transport import Client, Exchange, PrivateAddress, DeadlineExceeded
from sneaker_assets.errors import one_line
from sneaker_assets.sites.base import Site

RETRIED = frozenset({429, 500, 502, 503, 504})
OVERLOADED = frozenset({429, 503})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 5
CHUNK = 65_536

_BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, DeadlineExceeded, OSError)


class Fetcher:
    """Fetches pages and images of one site, from any number of threads.

    Args:
        site: whose home and image hosts are the only ones asked.
        settings: how.
        host_overrides: host and port to connect to in place of a host's own, by its name; the offline shop is known by
            lasting names and found at another port each time.

    Raises:
        ValueError: a live crawl without a contact.
    """

    def __init__(
        self, site: Site, settings: FetchSettings, host_overrides: Mapping[str, tuple[str, int]] | None = None
    ) -> None:
        if not settings.contact and not settings.allow_loopback:
            raise ValueError(
                "a live crawl needs a contact in its user agent: set SNEAKER_CONTACT to an address or page of yours"
            )
        self.settings = settings
        self._site = site
        self._page_hosts = frozenset({urlsplit(site.home).netloc.lower()})
        self._image_hosts = site.image_hosts | self._page_hosts
        self._exchange = Exchange(settings.deadline, not settings.allow_loopback, host_overrides or {})
        self._gate = Gate(max(settings.delay, site.delay), settings.hold_cap)
        self._robots = Robots(AGENT, self._read_robots, self._gate.slow_down)
        self._threads = threading.local()
        self._breaker = CircuitBreaker(site.name)
        self._lock = threading.Lock()
        self._requests = self._bytes = 0
        self.on_hold: Callable[[str, datetime], None] = lambda *_: None
        """Told each host that asks for rest, and until when, before anything else happens."""

    def page(self, url: str, known: Validators = NO_VALIDATORS) -> Response:
        """Fetch a page; one that did not change since ``known`` has status 304.

        Raises:
            FetchError: this address could not be fetched.
            CrawlStopped: the site asked us to go away, for now or altogether.
        """

        def headers(at: str) -> dict[str, str]:
            return known.headers() | self._credentials_for(at)

        response = self._follow(url, self._page_hosts, self.settings.max_page_bytes, headers, self._robots.allows)
        self._check_credentials(response)
        self._breaker.check_page(response)
        return _usable(response, known)

    def image(self, url: str, known: Validators = NO_VALIDATORS) -> Response:
        """Fetch an image file, as it is and unchecked; raises what :meth:`page` does.

        One image refused is that image's failure, several in a row are the site's word.
        """

        def headers(_: str) -> dict[str, str]:
            accepted = "image/jpeg,image/png;q=0.9,image/webp;q=0.8"
            return {"Accept": accepted, "Accept-Encoding": "identity", **known.headers()}

        response = self._follow(url, self._image_hosts, self.settings.max_image_bytes, headers, self._robots.allows)
        self._breaker.check_image(response)
        return _usable(response, known)

    def hold(self, host: str, until: datetime) -> None:
        """Ask nothing of this host before that moment, as it asked an earlier crawl."""
        self._gate.hold(host, max(0.0, (until - datetime.now(UTC)).total_seconds()))

    def counts(self) -> tuple[int, int, int]:
        """Requests sent, bytes received and requests held back so far."""
        return self._requests, self._bytes, self._gate.held_back

    def summary(self) -> str:
        """What was asked of the site so far, in words for a log line."""
        n_requests, n_bytes, held_back = self.counts()
        return f"{n_requests:,} requests, {n_bytes / 1e6:,.1f} MB, {held_back:,} held back"

    def _credentials_for(self, url: str) -> dict[str, str]:
        """The site's credentials, for addresses of its home alone: no other host sees them, and nobody on the way."""
        credentials = self._site.credentials
        return dict(credentials.headers) if credentials and urlsplit(url)[:2] == urlsplit(self._site.home)[:2] else {}

    def _check_credentials(self, response: Response) -> None:
        """A 401, or a 403 in an API's own words, is about the credentials; a page for humans is the breaker's."""
        credentials = self._site.credentials
        if credentials and (response.status == 401 or (response.status == 403 and not is_html(response))):
            raise CredentialsRefused(
                f"{self._site.name} does not accept our credentials ({response.url} answered {response.status}): "
                f"{credentials.renew}"
            )

    def _read_robots(self, url: str) -> tuple[int, str]:
        try:
            response = self._follow(url, self._image_hosts, self.settings.max_page_bytes, lambda _: {}, lambda _: True)
        except ForeignAddressError:
            raise
        except FetchError:
            return 503, ""
        refused = response.status == 200 and is_block_page(response.body)
        return (503 if refused else response.status), response.body.decode("utf-8", "replace")

    def _follow(
        self,
        url: str,
        hosts: frozenset[str],
        max_bytes: int,
        headers: Callable[[str], dict[str, str]],
        allows: Callable[[str], bool],
    ) -> Response:
        """The response at the end of the redirects, each of which must lead to an allowed address.

        Each address has headers of its own, so that none goes where it does not belong.
        """
        for _ in range(MAX_REDIRECTS + 1):
            if not _leads_to(url, hosts):
                only = ", ".join(sorted(hosts))
                raise ForeignAddressError(f"{url} lies outside {self._site.name}: only {only} may be asked")
            if not allows(url):
                raise FetchError(f"{url}: robots.txt does not allow it")
            response = self._retrying(url, max_bytes, headers(url))
            if response.status not in REDIRECTS:
                return response
            url = _redirected(url, response.headers.get("Location", ""))
        raise FetchError(f"{url}: more than {MAX_REDIRECTS} redirects")

    def _retrying(self, url: str, max_bytes: int, headers: dict[str, str]) -> Response:
        """The response to one address, tried again after what may pass."""
        problem, pause = "", 0.0
        for attempt in range(self.settings.attempts):
            if attempt:
                time.sleep(pause)
            pause = self.settings.backoff * 2**attempt
            try:
                response = self._attempt(url, max_bytes, headers, pause)
            except FetchError:
                raise
            except PrivateAddress as error:
                raise ForeignAddressError(f"{url} leads to a private address ({error})") from error
            except _BROKEN as error:
                problem = one_line(error)
                continue
            if response.status not in RETRIED:
                return response
            problem = f"answered {response.status}"
        if problem == "answered 429":
            resume_at = datetime.now(UTC) + timedelta(seconds=self.settings.hold_cap)
            raise CrawlPaused(urlsplit(url).netloc.lower(), resume_at)
        raise UnreachableError(f"{url}: {problem} ({self.settings.attempts} attempts)")

    def _attempt(self, url: str, max_bytes: int, headers: dict[str, str], pause: float) -> Response:
        """One request and its whole answer; a host that is overloaded is held before its turn ends."""
        host, client = urlsplit(url).netloc.lower(), self._client()
        request = client.prepare(url, headers)
        with self._gate.turn(host):
            self._breaker.check()
            with self._lock:
                self._requests += 1
            self._exchange.begin()
            answer = client.send(request, self.settings.timeout)
            asked = retry_after_seconds(answer.headers.get("Retry-After"))
            if answer.status_code in OVERLOADED or (answer.status_code in RETRIED and asked is not None):
                self._hold(host, pause if asked is None else asked)
        with answer:
            body = self._body(answer, max_bytes)
        return Response(url, answer.status_code, answer.headers, body, datetime.now(UTC))

    def _hold(self, host: str, seconds: float) -> None:
        self._gate.hold(host, seconds)
        self.on_hold(host, datetime.now(UTC) + timedelta(seconds=min(seconds, MAX_HOLD)))

    def _body(self, answer: requests.Response, max_bytes: int) -> bytes:
        """The whole body, read as it arrives."""
        body = bytearray()
        while chunk := answer.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > max_bytes:
                raise FetchError(f"{answer.url} is longer than {max_bytes:,} bytes")
        with self._lock:
            self._bytes += len(body)
        return bytes(body)

    def _client(self) -> Client:
        """This thread's client; loopback needs no proxy."""
        if not hasattr(self._threads, "client"):
            self._threads.client = Client(self.settings.user_agent, proxies=not self.settings.allow_loopback)
        kept: Client = self._threads.client
        return kept


def _leads_to(url: str, hosts: frozenset[str]) -> bool:
    """Whether an address is one of the web's, and of these hosts."""
    try:
        parts = urlsplit(url)
    except ValueError:  # such as http://[::1
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() in hosts


def _redirected(url: str, location: str) -> str:
    """Where a redirect leads; an address that cannot be resolved stays as it is, and leads nowhere."""
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def _usable(response: Response, known: Validators) -> Response:
    if response.status != 200 and not (response.unchanged and known):
        raise FetchError(f"{response.url} answered {response.status}")
    return response
