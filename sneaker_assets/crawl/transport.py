"""HTTP transport with a deadline for the whole exchange and protection against requests to addresses not public.

The timeouts of ``requests`` apply to single reads, so a server that sends a byte now and then keeps a connection open
without limit; here every read is bounded by the deadline of the exchange. A host name is resolved once and all its
addresses are checked before any is connected to, which prevents DNS rebinding.

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


class DeadlineExceeded(SneakerError):  # noqa: N818 - no OSError, which urllib3 would wrap
    """The exchange took longer than its deadline allows."""


class PrivateAddress(SneakerError):  # noqa: N818 - no OSError, which urllib3 would wrap
    """A host name resolves to an address that is not public."""


class UnknownHost(SneakerError):  # noqa: N818 - no OSError, which urllib3 would wrap
    """The host is not one of the offline shop."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Limits of one request and its response.

    Attributes:
        seconds: Maximum time from connecting to the last byte.
        public_only: Whether addresses that are not public are rejected. The address of a proxy, which resolves host
            names itself, is not checked.
        host_overrides: Host and port to connect to instead of a given host name. If any are given, no other host
            exists: its name is not looked up.
        deadline: Time of the monotonic clock at which the exchange must have ended.
    """

    seconds: float
    public_only: bool
    host_overrides: Mapping[str, tuple[str, int]]
    deadline: float = field(default=0.0)

    def start(self) -> None:
        """Apply the limits to the next request of this thread, with the deadline counting from now."""
        _EXCHANGE.set(Exchange(self.seconds, self.public_only, self.host_overrides, time.monotonic() + self.seconds))

    def remaining(self) -> float:
        """Seconds until the deadline.

        Raises:
            DeadlineExceeded: The deadline has passed.
        """
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlineExceeded(f"took longer than {self.seconds:g} s")
        return remaining


_EXCHANGE: ContextVar[Exchange] = ContextVar("exchange")


class GuardedAdapter(HTTPAdapter):
    """Adapter whose connections obey the :class:`Exchange` that was started last on their thread."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the connection pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Create the connection pools of a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
        return manager


class Client:
    """HTTP client for one thread.

    Unlike a ``requests.Session`` it keeps no cookies, follows no redirects and looks up no passwords, which makes a
    request considerably cheaper. Proxies and certificates of the environment are read once per origin.

    Args:
        user_agent: Value of the User-Agent header.
        proxies: Whether proxies of the environment are used.
    """

    def __init__(self, user_agent: str, *, proxies: bool) -> None:
        self._headers = {**default_headers(), "User-Agent": user_agent}
        self._adapter = GuardedAdapter()
        self._environment = requests.Session()
        self._environment.trust_env = proxies
        self._options: dict[str, dict[str, Any]] = {}

    def prepare(self, url: str, headers: Mapping[str, str]) -> requests.PreparedRequest:
        """Prepare a GET request.

        Raises:
            requests.RequestException: The URL or a header is invalid.
        """
        request = requests.PreparedRequest()
        request.prepare_method("GET")
        request.prepare_url(url, None)
        request.prepare_headers({**self._headers, **headers})
        return request

    def send(self, request: requests.PreparedRequest, timeout: float) -> requests.Response:
        """Send a request and return the response as soon as its headers have arrived; the body is not read yet."""
        return self._adapter.send(request, timeout=timeout, **self._environment_options(request.url or ""))

    def _environment_options(self, url: str) -> dict[str, Any]:
        """Proxies and certificates for the origin of a URL."""
        origin = url[: url.find("/", url.find("//") + 2)]
        if origin not in self._options:
            self._options[origin] = dict(self._environment.merge_environment_settings(url, {}, True, None, None))
        return self._options[origin]


class _Guarded(HTTPConnection):
    """Connection that checks the addresses of its host and reads until the deadline."""

    def _new_conn(self) -> socket.socket:
        exchange = _EXCHANGE.get()
        if exchange.host_overrides and self.host not in exchange.host_overrides:
            raise UnknownHost(f"the offline shop has no host {self.host}")
        host, port = exchange.host_overrides.get(self.host, (self.host, self.port))
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [(str(info[4][0]), port) for info in found]
        if exchange.public_only and self.proxy is None:
            _check_public(self.host, [address for address, _ in addresses])
        problem: OSError | None = None
        for address in addresses:
            try:
                connected = socket.create_connection(
                    address, min(exchange.remaining(), self.timeout or exchange.seconds)
                )
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


def is_public(address: str) -> bool:
    """Whether an IP address is a public unicast address that is not translated to another one.

    Translation prefixes (NAT64, 6to4, Teredo, IPv4-mapped addresses) can embed a private IPv4 address.

    https://www.iana.org/assignments/ipv6-address-space  https://www.iana.org/assignments/iana-ipv4-special-registry

    Args:
        address: IPv4 or IPv6 address; an IPv6 address may have a zone such as ``%eth0``.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_unspecified:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return ip not in _RELAYS
    return ip in _GLOBAL_UNICAST and ip.sixtofour is None and ip.teredo is None


_RELAYS = ipaddress.IPv4Network("192.88.99.0/24")
"""Former anycast addresses of 6to4 relays, RFC 7526."""

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""The only assigned public IPv6 addresses; NAT64, site-local and IPv4-mapped addresses lie outside."""


def _check_public(host: str, addresses: list[str]) -> None:
    for address in addresses:
        if not is_public(address):
            raise PrivateAddress(f"{host} is {address}")


class _TimedResponse(http.client.HTTPResponse):
    """Response whose reads, from the status line on, are bounded by the deadline."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReads(self.fp.detach(), sock, _EXCHANGE.get()), 65_536)


_Guarded.response_class = _TimedResponse


class _TimedReads(io.RawIOBase):
    def __init__(self, stream: io.RawIOBase, connection: socket.socket, exchange: Exchange) -> None:
        self._stream, self._connection, self._exchange = stream, connection, exchange
        self._timeout = connection.gettimeout() or exchange.seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._connection.settimeout(min(self._exchange.remaining(), self._timeout))
        try:
            count: int | None = self._stream.readinto(buffer)
        except TimeoutError:
            self._exchange.remaining()
            raise
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLS
