"""A server that imitates the misbehaviour of real shops and logs each request; runs in its own process.

    python -m sneaker_assets_tests.crawl.misbehaving_shop --log requests.jsonl

It prints its address. ``/shoes?page=1`` is a catalogue with overlapping pages, ``/images/<n>.jpg`` are its images, and
each key of ``MISBEHAVIOURS`` is a path. The log has one JSON object per request: the times of the request and of the
response (seconds of the monotonic clock), its path and headers, and the status, 0 if no response was sent.
"""

import argparse
import gzip
import io
import json
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from sneaker_assets_tests.crawl.answers import Answer, Server, by_validator, endless, in_turn, jpeg, raw, reply

REFUSAL = b"<html><head><title>Access Denied</title></head><body><h1>Access Denied</h1></body></html>"
CHALLENGES: Mapping[str, Answer] = {
    "aws-waf-202": reply(202, x_amzn_waf_action="challenge"),
    "aws-waf-captcha": reply(405, b"<title>Confirm</title>", x_amzn_waf_action="captcha"),
    "aws-waf-body": reply(body=b"<html><script>window.gokuProps = {};</script></html>"),
    "akamai": reply(body=b'<html><div id="sec-if-cpt-container"></div></html>'),
    "akamai-json": reply(body=b'{"sec-cp-challenge": "true", "provider": "crypto"}', kind="application/json"),
    "cloudflare": reply(body=b"<html><head><title>Just a moment...</title></head></html>"),
    "cloudflare-header": reply(body=b"<html></html>", cf_mitigated="challenge"),
    "cloudflare-503": reply(503, b"<html><script>window._cf_chl_opt = {};</script></html>"),
    "perimeterx": reply(body=b'<html><body><div id="px-captcha"></div></body></html>'),
    "perimeterx-json": reply(
        body=b'{"appId": "PXabc123", "jsClientSrc": "/abc/init.js", "blockScript": "/abc/captcha.js"}',
        kind="application/json",
    ),
    "datadome": reply(body=b"<html><script src='https://ct.captcha-delivery.com/c.js'></script></html>"),
    "datadome-json": reply(body=b'{"url": "https://geo.captcha-delivery.com/captcha/?cid=1"}', kind="application/json"),
}
"""Challenges in place of the resource, with other statuses than 401 and 403."""
RULES = b"User-agent: *\nDisallow: /private\n"
ROBOTS: Mapping[str, Answer] = {
    "rules": reply(body=RULES, kind="text/plain"),
    "slow": reply(body=RULES + b"Crawl-delay: 0.05\nRequest-rate: 1/0.04\n", kind="text/plain"),
    "missing": reply(404),
    "failing": reply(500),
    "denied": reply(body=REFUSAL),
}
GOOD = reply(body=b"at last")


def in_a_second() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)


def later(status: int) -> Answer:
    """Respond with a Retry-After date one second ahead."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        reply(status, Retry_After=in_a_second())(handler)

    return answer


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Send no response."""
    handler.close_connection = True
    time.sleep(30)


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Reset the connection."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def dripping_headers(handler: BaseHTTPRequestHandler) -> None:
    """Send an endless header, one byte at a time."""
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X")
        time.sleep(0.02)


def bomb(side: int = 9000) -> bytes:
    file = io.BytesIO()
    Image.new("1", (side, side)).save(file, "PNG")
    return file.getvalue()


PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
MISBEHAVIOURS: Mapping[str, Answer] = {
    **{
        f"/{status}/{name}": in_turn(reply(status, Retry_After=asked), GOOD)
        for status in (429, 503)
        for name, asked in {"seconds": "1", "fraction": "0.3", "garbage": "soon"}.items()
    },
    "/429/date": in_turn(later(429), GOOD),
    "/503/date": in_turn(later(503), GOOD),
    "/429/hour": reply(429, Retry_After="3600"),
    "/503/hour": reply(503, Retry_After="3600"),
    "/cut/with-length": in_turn(raw(PLAIN + b"Content-Length: 100\r\n\r\nhalf"), GOOD),
    "/cut/chunked": in_turn(raw(PLAIN + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n64\r\nhalf"), GOOD),
    "/cut/without-length.jpg": raw(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg(400, 300)[:-1500]),
    "/drip/body": endless(b".", pause=0.02),
    "/drip/headers": dripping_headers,
    "/hang": hang,
    "/reset": in_turn(reset, GOOD),
    "/redirect/loop": reply(302, Location="/redirect/loop"),
    "/redirect/away": reply(302, Location="http://127.0.0.1:9/"),
    "/bomb.gz": reply(body=gzip.compress(bytes(20_000_000)), Content_Encoding="gzip"),
    "/endless": endless(b"x" * 10_000),
    "/same": by_validator("v1", b"unchanged", kind="text/html"),
    "/same/for-an-hour.jpg": reply(body=jpeg(), kind="image/jpeg", ETag='"v1"', Cache_Control="max-age=3600"),
    "/block-page": reply(body=REFUSAL),
    **{f"/challenge/{name}": answer for name, answer in CHALLENGES.items()},
    **{f"/unregistered/{status}": reply(status) for status in (420, 430, 529)},
    "/html.jpg": reply(body=b"<html>no picture</html>", kind="image/jpeg"),
    "/half.jpg": reply(body=jpeg(400, 300)[:-1500], kind="image/jpeg"),
    "/bomb.png": reply(body=bomb(), kind="image/png"),
    "/private/shoes": reply(body=b"never to be asked for"),
}


@dataclass(frozen=True)
class Catalogue:
    """Products of the shop; each page repeats the last product of the previous one and links in both directions."""

    pages: int
    per_page: int
    pictures: list[bytes]

    def page(self, number: int) -> bytes | None:
        if not 1 <= number <= self.pages:
            return None
        first = (number - 1) * self.per_page
        shown = range(max(0, first - 1), first + self.per_page)
        following = [f"/shoes?page={n}" for n in (number - 1, number, number + 1) if 1 <= n <= self.pages]
        listings = [{"id": f"shoe{i}", "prices": [100 + i], "image": f"/images/{i}.jpg"} for i in shown]
        return json.dumps({"listings": listings, "next": following}).encode()

    def picture(self, number: int) -> bytes | None:
        """A JPEG file that is unique since it contains its number as a comment."""
        if not 0 <= number < self.pages * self.per_page:
            return None
        picture, comment = self.pictures[number % len(self.pictures)], f"shoe {number}".encode()
        return picture[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + picture[2:]


GRAIN = 22
"""Pixels between random colours; gives 36 KB at 700x500, as for product shots."""


def pictures(width: int, height: int, count: int = 8) -> list[bytes]:
    """JPEG files of a realistic size."""
    rng = random.Random(2020)
    drawn = []
    for _ in range(count):
        across, down = width // GRAIN + 1, height // GRAIN + 1
        small = Image.frombytes("RGB", (across, down), rng.randbytes(across * down * 3))
        file = io.BytesIO()
        small.resize((width, height), Image.Resampling.BICUBIC).save(file, "JPEG", quality=70)
        drawn.append(file.getvalue())
    return drawn


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    catalogue: Catalogue
    robots: Answer
    log: TextIO
    raw_requestline: bytes
    came_at: float
    logged: bool
    busy_at: int
    busy_for: float
    lock = threading.Lock()
    pictures_sent = 0
    busy_until = 0.0

    def parse_request(self) -> bool:
        """Parse the request without the email parser of the library, which dominates the run time."""
        self.command, self.path, self.request_version = self.raw_requestline.decode("latin-1").split()
        self.headers = Message()
        while line := self.rfile.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            self.headers[name] = value.strip()
        self.close_connection = self.headers.get("Connection") == "close"
        return True

    def do_GET(self) -> None:
        self.came_at, self.logged = time.monotonic(), False
        try:
            self._answer()(self)
        except ConnectionError:
            pass
        finally:
            if not self.logged:
                self.log_request()

    def _answer(self) -> Answer:
        url = urlsplit(self.path)
        if url.path == "/robots.txt":
            return self.robots
        if url.path == "/shoes":
            body = self.catalogue.page(int(parse_qs(url.query).get("page", ["1"])[0]))
            return by_validator("v1", body, "application/json") if body else reply(404)
        if url.path.startswith("/images/"):
            if self._is_busy():
                return reply(429, Retry_After=f"{self.busy_for:g}")
            picture = self.catalogue.picture(int(Path(url.path).stem))
            return by_validator("v1", picture) if picture else reply(404)
        return MISBEHAVIOURS.get(url.path, reply(404))

    def _is_busy(self) -> bool:
        """Whether the server is overloaded, which happens once, from the image with the number ``busy_at`` on."""
        with self.lock:
            kind = type(self)
            kind.pictures_sent += 1
            if kind.pictures_sent == self.busy_at:
                kind.busy_until = time.monotonic() + self.busy_for
            return time.monotonic() < kind.busy_until

    def log_request(self, code: int | str = 0, size: int | str = "-") -> None:  # noqa: ARG002
        """Log before the response is sent, so that a client that has received it finds the request in the log."""
        self.logged = True
        entry = {
            "at": self.came_at,
            "answered_at": time.monotonic(),
            "path": self.path,
            "headers": dict(self.headers),
            "status": int(code),
        }
        with self.lock:
            self.log.write(json.dumps(entry) + "\n")

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002


@dataclass(frozen=True)
class RunningShop:
    """Address and log of a running server."""

    base: str
    log_file: Path

    def log(self, prefix: str = "/") -> list[dict[str, Any]]:
        entries = [json.loads(line) for line in self.log_file.read_text().splitlines()]
        return [entry for entry in entries if entry["path"].startswith(prefix)]


@contextmanager
def running_shop(log_file: Path, **options: object) -> Iterator[RunningShop]:
    """Run the server in another process for the duration of the block; options as on the command line."""
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", __name__, "--log", str(log_file), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield RunningShop(process.stdout.readline().strip(), log_file)
        finally:
            process.send_signal(signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description="A shop that misbehaves.")
    parser.add_argument("--log", type=Path, required=True, help="file of requests, one JSON object per line")
    parser.add_argument("--pages", type=int, default=5)
    parser.add_argument("--per-page", type=int, default=4)
    parser.add_argument("--width", type=int, default=40, help="of a picture, pixels")
    parser.add_argument("--height", type=int, default=30)
    parser.add_argument("--robots", choices=ROBOTS, default="rules")
    parser.add_argument("--busy-at", type=int, default=0, help="number of the image at which the server is overloaded")
    parser.add_argument("--busy-for", type=float, default=2.0, help="seconds of its Retry-After")
    options = parser.parse_args()
    with options.log.open("w", buffering=1) as log:
        settings = {
            "catalogue": Catalogue(options.pages, options.per_page, pictures(options.width, options.height)),
            "robots": staticmethod(ROBOTS[options.robots]),
            "log": log,
            "busy_at": options.busy_at,
            "busy_for": options.busy_for,
        }
        server = Server(("127.0.0.1", 0), type("ShopHandler", (Handler,), settings))
        print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201
        server.serve_forever()


if __name__ == "__main__":
    main()
