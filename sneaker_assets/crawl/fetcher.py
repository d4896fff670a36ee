"""HTTP client of a site that obeys robots.txt, rate limits and size limits, retries, and stops when blocked.

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

from sneaker_assets.crawl.circuit_breaker import BLOCK_STATUSES, CircuitBreaker, is_block_page, is_html
from sneaker_assets.crawl.errors import (
    ContactMissing,
    CrawlPaused,
    CrawlStopped,
    CredentialsRefused,
    FetchError,
    ForeignAddressError,
    UnreachableError,
)
from sneaker_assets.crawl.http import NO_VALIDATORS, Response, Validators
from sneaker_assets.crawl.rate_limiter import MAX_HOLD, RateLimiter, retry_after_seconds
from sneaker_assets.crawl.refusals import ORIGIN_ERRORS, announces_challenge, is_challenge, is_throttle_status
from sneaker_assets.crawl.robots import Robots
from sneaker_assets.crawl.settings import AGENT, FetchSettings
from sneaker_assets.crawl.transport import Client, DeadlineExceeded, Exchange, PrivateAddress, UnknownHost
from sneaker_assets.errors import one_line
from sneaker_assets.sites.base import Quota, Site

RETRY_STATUSES = frozenset({500, 502, 503, 504}) | ORIGIN_ERRORS
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 5
CHUNK_BYTES = 65_536

_TRANSIENT_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    DeadlineExceeded,
    OSError,
)


class Fetcher:
    """Fetches pages and images of one site, from any number of threads.

    Args:
        site: Site whose home and image hosts are the only ones requested.
        settings: Limits, delays and contact.
        host_overrides: Host and port to connect to instead of a given host name. The offline shop has permanent names
            but another port every time it is started. If any are given, no other host is requested or looked up.
        any_image_host: Whether images may be on any public host. A block then concerns only the host that blocks.

    Raises:
        ContactMissing: The settings have no contact and are not those of the offline shop.
    """

    def __init__(
        self,
        site: Site,
        settings: FetchSettings,
        host_overrides: Mapping[str, tuple[str, int]] | None = None,
        *,
        any_image_host: bool = False,
    ) -> None:
        if not settings.contact and not settings.allow_loopback:
            raise ContactMissing(
                "a live crawl needs a contact in its user agent: set SNEAKER_CONTACT to an address or page of yours"
            )
        self.settings = settings
        self._site = site
        self._page_hosts = frozenset({urlsplit(site.home).netloc.lower()})
        self._image_hosts = None if any_image_host else site.image_hosts | self._page_hosts
        self._exchange = Exchange(settings.deadline, not settings.allow_loopback, host_overrides or {})
        self._limiter = RateLimiter(max(settings.delay, site.delay), settings.hold_cap)
        self._robots = Robots(AGENT, self._fetch_robots, self._limiter.set_delay)
        self._threads = threading.local()
        self._breakers: dict[str, CircuitBreaker] = {}
        self._lock = threading.Lock()
        self._requests = self._bytes = 0
        self.on_hold: Callable[[str, datetime], None] = lambda *_: None
        """Called with a host and the end of its hold (UTC) as soon as the host asks for it."""

    def page(self, url: str, known: Validators = NO_VALIDATORS) -> Response:
        """Fetch a page.

        Args:
            url: URL of the page.
            known: Validators of the stored version; an unchanged page has status 304.

        Raises:
            FetchError: The URL could not be fetched.
            CrawlStopped: The site asks for a pause or blocks the client.
        """

        def headers(at: str) -> dict[str, str]:
            return known.headers() | self._credentials_for(at)

        response = self._follow(url, self._page_hosts, self.settings.max_page_bytes, headers, self._robots.allows)
        self._check_credentials(response)
        self._breaker(response.url).check_page(response)
        return _usable(response, known)

    def image(self, url: str, known: Validators = NO_VALIDATORS) -> Response:
        """Fetch an image file, without checking its content.

        Args:
            url: URL of the image.
            known: Validators of the stored version; an unchanged image has status 304.

        Raises:
            FetchError: The URL could not be fetched.
            CrawlStopped: The site asks for a pause or blocks the client, which several refused images in a row imply.
        """

        def headers(_: str) -> dict[str, str]:
            accepted = "image/jpeg,image/png;q=0.9,image/webp;q=0.8"
            return {"Accept": accepted, "Accept-Encoding": "identity", **known.headers()}

        response = self._follow(url, self._image_hosts, self.settings.max_image_bytes, headers, self._robots.allows)
        if self._breaker(response.url).check_image(response):
            raise self._pause(response.url)
        return _usable(response, known)

    def stop(self, host: str, reason: CrawlStopped) -> None:
        """Send no further request to a host, or to the site unless images may be on any host; raise the reason."""
        self._breaker(f"//{host}").open(reason)

    def hold(self, host: str, until: datetime) -> None:
        """Send no request to a host before a time (UTC), as it asked an earlier crawl."""
        self._limiter.hold(host, max(0.0, (until - datetime.now(UTC)).total_seconds()))

    def counts(self) -> tuple[int, int, int]:
        """Number of requests sent, bytes received and requests held back so far."""
        return self._requests, self._bytes, self._limiter.held_back

    def summary(self) -> str:
        """The counts as text for a log line."""
        n_requests, n_bytes, held_back = self.counts()
        return f"{n_requests:,} requests, {n_bytes / 1e6:,.1f} MB, {held_back:,} held back"

    def _breaker(self, url: str) -> CircuitBreaker:
        """Circuit breaker of the site, or of the host of a URL if images may be on any host."""
        name = self._site.name if self._image_hosts is not None else urlsplit(url).netloc.lower()
        with self._lock:
            return self._breakers.setdefault(name, CircuitBreaker(name))

    def _credentials_for(self, url: str) -> dict[str, str]:
        """Credential headers, only for URLs with the scheme and host of the site's home."""
        credentials = self._site.credentials
        return dict(credentials.headers) if credentials and urlsplit(url)[:2] == urlsplit(self._site.home)[:2] else {}

    def _quota_for(self, headers: Mapping[str, str]) -> Quota | None:
        """Quota of the credentials among the headers of a request, None if it is not counted."""
        credentials = self._site.credentials
        return credentials.quota if credentials and credentials.headers.items() <= headers.items() else None

    def _check_credentials(self, response: Response) -> None:
        """Check for a 401, or a 403 that is neither HTML nor a challenge, which would block the client.

        Raises:
            CredentialsRefused: The credentials were rejected.
        """
        credentials = self._site.credentials
        blocked = is_html(response) or is_challenge(response.body)
        if credentials and (response.status == 401 or (response.status == 403 and not blocked)):
            raise CredentialsRefused(
                f"{self._site.name} does not accept our credentials ({response.url} answered {response.status}): "
                f"{credentials.renew}"
            )

    def _fetch_robots(self, url: str) -> tuple[int, str]:
        try:
            response = self._follow(url, self._image_hosts, self.settings.max_page_bytes, lambda _: {}, lambda _: True)
        except ForeignAddressError:
            raise
        except FetchError:
            return 503, ""
        blocked = response.status == 200 and is_block_page(response.body)
        return (503 if blocked else response.status), response.body.decode("utf-8", "replace")

    def _follow(
        self,
        url: str,
        hosts: frozenset[str] | None,
        max_bytes: int,
        headers: Callable[[str], dict[str, str]],
        allows: Callable[[str], bool],
    ) -> Response:
        """Response after following redirects, all of which must stay on ``hosts``; headers are computed per URL.

        If ``hosts`` is None, any public host may be requested.

        Raises:
            FetchError: A URL is disallowed by robots.txt or could not be fetched, or there are too many redirects.
            ForeignAddressError: A URL is not on ``hosts``.
        """
        for _ in range(MAX_REDIRECTS + 1):
            if not _is_on(url, hosts):
                allowed = "http and https addresses" if hosts is None else ", ".join(sorted(hosts))
                raise ForeignAddressError(f"{url} lies outside {self._site.name}: only {allowed} may be requested")
            if not allows(url):
                raise FetchError(f"{url}: {self._robots.refusal(url)}")
            response = self._fetch_with_retries(url, max_bytes, headers(url))
            if response.status not in REDIRECT_STATUSES:
                return response
            url = _redirect_target(url, response.headers.get("Location", ""))
        raise FetchError(f"{url}: more than {MAX_REDIRECTS} redirects")

    def _fetch_with_retries(self, url: str, max_bytes: int, headers: dict[str, str]) -> Response:
        """Response to a URL, retried with exponential backoff after transient failures.

        Raises:
            CrawlPaused: The host asked the client to wait at the last attempt.
            FetchError: The body is too long.
            ForeignAddressError: The host has a private address or is not one of the offline shop.
            UnreachableError: No attempt succeeded.
        """
        problem, pause, refused = "", 0.0, False
        for attempt in range(self.settings.attempts):
            if attempt:
                time.sleep(pause)
            pause = self.settings.backoff * 2**attempt
            try:
                response, refused = self._attempt(url, max_bytes, headers, pause)
            except FetchError:
                raise
            except PrivateAddress as error:
                raise ForeignAddressError(f"{url} leads to a private address ({error})") from error
            except UnknownHost as error:
                raise ForeignAddressError(f"{url} is not requested: {error}") from error
            except _TRANSIENT_ERRORS as error:
                problem, refused = one_line(error), False
                continue
            if not refused and response.status not in RETRY_STATUSES:
                return response
            problem = f"answered {response.status}"
        if refused:
            raise self._pause(url)
        raise UnreachableError(f"{url}: {problem} ({self.settings.attempts} attempts)")

    def _attempt(self, url: str, max_bytes: int, headers: dict[str, str], pause: float) -> tuple[Response, bool]:
        """Send one request and read the response.

        A host that refuses or is overloaded is put on hold, if its headers say so before its slot is released.

        Returns:
            The response, and whether the host asks the client to wait.
        """
        host, client = urlsplit(url).netloc.lower(), self._client()
        request = client.prepare(url, headers)
        quota = self._quota_for(headers)
        breaker = self._breaker(url)
        breaker.check()
        if quota is not None:
            with self._limiter.slot(_hold_of_quota(host, quota)):
                pass  # only a used-up quota delays the request here
        with self._limiter.slot(host):
            breaker.check()
            with self._lock:
                self._requests += 1
            self._exchange.start()
            response = client.send(request, self.settings.timeout)
            status, retry_after = response.status_code, retry_after_seconds(response.headers.get("Retry-After"))
            refused = _asks_to_wait(status, response.headers)
            seconds = pause if retry_after is None else retry_after
            held = refused or status == 503 or (status in RETRY_STATUSES and retry_after is not None)
            if held:
                self._hold(host, seconds)
            if quota is not None and (quota.used(response.headers) or 0) >= quota.limit:
                self._hold(_hold_of_quota(host, quota), _seconds_to_next_month())
        with response:
            body = self._body(response, max_bytes)
        challenged = status not in BLOCK_STATUSES and is_challenge(body)
        if challenged and not held:
            self._hold(host, seconds)
        return Response(url, status, response.headers, body, datetime.now(UTC)), refused or challenged

    def _pause(self, url: str) -> CrawlPaused:
        """Pause of the crawl, as long as the longest hold, since the host of a URL keeps asking the client to wait."""
        resume_at = datetime.now(UTC) + timedelta(seconds=self.settings.hold_cap)
        return CrawlPaused(urlsplit(url).netloc.lower(), resume_at)

    def _hold(self, host: str, seconds: float) -> None:
        self._limiter.hold(host, seconds)
        self.on_hold(host, datetime.now(UTC) + timedelta(seconds=min(seconds, MAX_HOLD)))

    def _body(self, response: requests.Response, max_bytes: int) -> bytes:
        """Decoded body.

        Raises:
            FetchError: The body is longer than ``max_bytes``.
        """
        body = bytearray()
        while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
            body += chunk
            if len(body) > max_bytes:
                raise FetchError(f"{response.url} is longer than {max_bytes:,} bytes")
        with self._lock:
            self._bytes += len(body)
        return bytes(body)

    def _client(self) -> Client:
        """Client of this thread; the offline shop is reached without a proxy."""
        if not hasattr(self._threads, "client"):
            self._threads.client = Client(self.settings.user_agent, proxies=not self.settings.allow_loopback)
        client: Client = self._threads.client
        return client


def _hold_of_quota(host: str, quota: Quota) -> str:
    """Name under which the pause of a used-up quota is held; with another limit it is not found, so that it ends."""
    return f"{host}, where {quota.limit:,} requests a month are used up ({quota.setting}),"


def _seconds_to_next_month() -> float:
    now = datetime.now(UTC)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return ((first + timedelta(days=32)).replace(day=1) - now).total_seconds()


def _asks_to_wait(status: int, headers: Mapping[str, str]) -> bool:
    """Whether the head of a response is that of a refusal which ends by itself; a 401 or 403 does not."""
    if status in BLOCK_STATUSES:
        return False
    overloaded = status == 503 and retry_after_seconds(headers.get("Retry-After")) is not None
    return is_throttle_status(status) or overloaded or announces_challenge(headers)


def _is_on(url: str, hosts: frozenset[str] | None) -> bool:
    """Whether a URL is an HTTP(S) URL of one of the hosts; of any, without a user name, if ``hosts`` is None."""
    try:
        parts = urlsplit(url)
    except ValueError:  # for instance http://[::1
        return False
    allowed = bool(parts.hostname) and "@" not in parts.netloc if hosts is None else parts.netloc.lower() in hosts
    return parts.scheme in ("http", "https") and allowed


def _redirect_target(url: str, location: str) -> str:
    """Absolute URL of a redirect; a malformed one is returned as it is and rejected later."""
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def _usable(response: Response, known: Validators) -> Response:
    if response.status != 200 and not (response.unchanged and known):
        raise FetchError(f"{response.url} answered {response.status}")
    return response
