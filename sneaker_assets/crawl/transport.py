"""The wire below the fetcher: a whole exchange ends by a deadline, and no connection leads to a private address.

Timeouts of requests are for one read, so a server that sends a byte now and then, in its headers or its body, would be
listened to for ever. Here every read of an exchange knows when the exchange must have ended. A name is looked up once
and its addresses are judged before any of them is connected to, so that no answer of a name server leads inside.

What is asked and when is ``fetcher``'s and ``gate``'s concern.

urllib3: https://urllib3.readthedocs.io/en/stable/reference/urllib3.connection.html
"""

import http.client
import io
import ipaddress
import socket
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import default_headers
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from sneaker_assets.errors import SneakerError


class TookTooLong(SneakerError):  # noqa: N818 - no OSError, which urllib3 would wrap
    """The exchange was not over at its deadline."""


class PrivateAddress(SneakerError):  # noqa: N818 - no OSError, which urllib3 would wrap
    """A name leads to an address that is not public."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one request and its answer are bound by.

    Attributes:
        seconds: longest time from connecting to the last byte.
        public_only: whether private, loopback and link-local addresses are refused. A proxy is not judged: it stands
            where whoever runs the crawl put it, and looks names up itself.
        found_at: host and port to connect to in place of a host's own, by its name.
        ends: the deadline, in seconds of the monotonic clock.
    """

    seconds: float
    public_only: bool
    found_at: Mapping[str, tuple[str, int]]
    ends: float = field(default=0.0)

    def begin(self) -> None:
        """Bind this thread's next request by these, counting from now."""
        _EXCHANGE.set(Exchange(self.seconds, self.public_only, self.found_at, time.monotonic() + self.seconds))

    def left(self) -> float:
        """Seconds until the deadline.

        Raises:
            TookTooLong: there are none.
        """
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TookTooLong(f"took longer than {self.seconds:g} s")
        return left


_EXCHANGE: ContextVar[Exchange] = ContextVar("exchange")


class GuardedAdapter(HTTPAdapter):
    """Sends requests over connections that keep to the :class:`Exchange` begun last on their thread."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools, of guarded connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the pools behind a proxy, of guarded connections."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
        return manager


class Client:
    """Sends requests over guarded connections; each thread has one of its own.

    Of what a session of requests does besides, a crawl wants nothing: no cookies are kept, no redirects followed, no
    passwords looked up. Proxies and certificates named in the environment count, and are read once for each host.

    Args:
        user_agent: who asks.
        proxies: whether the environment is listened to.
    """

    def __init__(self, user_agent: str, *, proxies: bool) -> None:
        self._headers = {**default_headers(), "User-Agent": user_agent}
        self._adapter = GuardedAdapter()
        self._environment = requests.Session()
        self._environment.trust_env = proxies
        self._ways: dict[str, dict[str, Any]] = {}

    def prepare(self, url: str, headers: Mapping[str, str]) -> requests.PreparedRequest:
        """A request for this address, ready to be sent.

        Raises:
            requests.RequestException: the address or a header cannot be sent.
        """
        request = requests.PreparedRequest()
        request.prepare_method("GET")
        request.prepare_url(url, None)
        request.prepare_headers({**self._headers, **headers})
        return request

    def send(self, request: requests.PreparedRequest, timeout: float) -> requests.Response:
        """The answer, of which status and headers have come and the body has not been read."""
        return self._adapter.send(request, timeout=timeout, **self._way(request.url or ""))

    def _way(self, url: str) -> dict[str, Any]:
        """Proxies and certificates for this address."""
        origin = url[: url.find("/", url.find("//") + 2)]
        if origin not in self._ways:
            self._ways[origin] = dict(self._environment.merge_environment_settings(url, {}, True, None, None))
        return self._ways[origin]


class _Guarded(HTTPConnection):
    """A connection that judges where it leads, and reads against the deadline."""

    def _new_conn(self) -> socket.socket:
        exchange = _EXCHANGE.get()
        host, port = exchange.found_at.get(self.host, (self.host, self.port))
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [(str(info[4][0]), port) for info in found]
        if exchange.public_only and self.proxy is None:
            _judge(self.host, [address for address, _ in addresses])
        problem: OSError | None = None
        for address in addresses:
            try:
                connected = socket.create_connection(address, min(exchange.left(), self.timeout or exchange.seconds))
            except OSError as error:
                problem = error
                continue
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connected
        raise problem or OSError(f"{host} has no address")


class _Plain(_Guarded):
    pass


class _TLS(_Guarded, HTTPSConnection):
    pass


def _judge(host: str, addresses: list[str]) -> None:
    for address in addresses:
        if not ipaddress.ip_address(address.partition("%")[0]).is_global:
            raise PrivateAddress(f"{host} is {address}")


class _TimedResponse(http.client.HTTPResponse):
    """A response whose every read, from the status line on, keeps to the deadline."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReads(self.fp.detach(), sock, _EXCHANGE.get()), 65_536)


_Guarded.response_class = _TimedResponse


class _TimedReads(io.RawIOBase):
    def __init__(self, stream: io.RawIOBase, connection: socket.socket, exchange: Exchange) -> None:
        self._stream, self._connection, self._exchange = stream, connection, exchange
        self._patience = connection.gettimeout() or exchange.seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._connection.settimeout(min(self._exchange.left(), self._patience))
        try:
            count: int | None = self._stream.readinto(buffer)
        except TimeoutError:
            self._exchange.left()
            raise
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLS
