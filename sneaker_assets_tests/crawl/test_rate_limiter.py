"""Rate limiter with real threads and a simulated clock."""

import logging
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sneaker_assets.crawl.errors import CrawlPaused
from sneaker_assets.crawl.rate_limiter import RateLimiter, retry_after_seconds


class Clock:
    """A clock that only sleeping advances."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._lock = threading.Lock()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


def limiter_at(clock: Clock, delay: float, hold_cap: float) -> RateLimiter:
    return RateLimiter(delay, hold_cap, clock=lambda: clock.now, sleep=clock.sleep)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def times(limiter: RateLimiter, clock: Clock, host: str, n: int, threads: int = 1) -> list[float]:
    """When each of ``n`` requests was sent, in seconds since the start of the clock."""

    def send(_: int) -> float:
        with limiter.slot(host):
            return clock.now - 1000.0

    with ThreadPoolExecutor(threads) as pool:
        return sorted(pool.map(send, range(n)))


def gaps(moments: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(moments)]


def test_requests_of_all_threads_to_one_host_are_a_delay_apart(clock: Clock) -> None:
    assert gaps(times(limiter_at(clock, delay=2.0, hold_cap=60), clock, "a", n=12, threads=8)) == [2.0] * 11


def test_hosts_do_not_delay_one_another(clock: Clock) -> None:
    limiter = limiter_at(clock, delay=2.0, hold_cap=60)
    assert times(limiter, clock, "a", n=1) == times(limiter, clock, "b", n=1) == [0.0]


def test_only_one_request_to_a_host_is_in_flight() -> None:
    limiter, in_flight, seen = RateLimiter(delay=0.0, hold_cap=60), threading.Semaphore(1), []

    def send(_: int) -> None:
        with limiter.slot("a"):
            seen.append(in_flight.acquire(blocking=False))
            in_flight.release()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(200)))
    assert seen == [True] * 200


def test_host_may_ask_for_a_longer_delay_but_not_for_a_shorter_one(clock: Clock) -> None:
    limiter = limiter_at(clock, delay=2.0, hold_cap=60)
    limiter.set_delay("slow", 5.0)
    limiter.set_delay("quick", 0.5)
    assert gaps(times(limiter, clock, "slow", n=3, threads=3)) == [5.0, 5.0]
    assert gaps(times(limiter, clock, "quick", n=3, threads=3)) == [2.0, 2.0]


def test_hold_delays_every_thread_of_its_host_only(clock: Clock) -> None:
    limiter = limiter_at(clock, delay=0.0, hold_cap=60)
    limiter.hold("a", 30.0)
    limiter.hold("a", 10.0)
    assert times(limiter, clock, "b", n=8, threads=8) == [0.0] * 8
    assert times(limiter, clock, "a", n=8, threads=8) == [30.0] * 8


def test_requests_made_during_a_hold_are_counted(clock: Clock) -> None:
    limiter = limiter_at(clock, delay=0.0, hold_cap=60)
    limiter.hold("a", 30.0)
    times(limiter, clock, "b", n=2)
    times(limiter, clock, "a", n=3)
    assert limiter.held_back == 1  # the first request waits until the hold is over
    limiter.hold("a", 30.0)
    times(limiter, clock, "a", n=3)
    assert limiter.held_back == 2


@pytest.mark.parametrize(("seconds", "logged"), [(4.0, 0), (6.0, 1)])
def test_only_a_long_hold_is_logged(
    clock: Clock, caplog: pytest.LogCaptureFixture, seconds: float, logged: int
) -> None:
    limiter = limiter_at(clock, delay=0.0, hold_cap=60)
    limiter.hold("a", seconds)
    with caplog.at_level(logging.INFO):
        times(limiter, clock, "a", n=2)
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["a asked for a pause: waiting 6 s before the next request"][:logged]


def test_hold_above_the_cap_raises_with_the_time_to_resume(clock: Clock) -> None:
    limiter = limiter_at(clock, delay=0.0, hold_cap=60)
    limiter.hold("a", 3600)
    before = datetime.now(UTC)
    with pytest.raises(CrawlPaused, match="come back after") as raised, limiter.slot("a"):
        raise AssertionError
    assert before + timedelta(hours=1) <= raised.value.resume_at <= datetime.now(UTC) + timedelta(hours=1)


def test_delay_above_the_cap_pauses_the_crawl_after_one_request(clock: Clock) -> None:
    limiter = limiter_at(clock, delay=0.0, hold_cap=60)
    limiter.set_delay("a", 1e12)
    assert times(limiter, clock, "a", n=1) == [0.0]
    with pytest.raises(CrawlPaused, match="come back after"):
        times(limiter, clock, "a", n=1)


def test_absurdly_long_hold_still_ends_at_a_valid_date(clock: Clock) -> None:
    limiter = limiter_at(clock, delay=0.0, hold_cap=60)
    limiter.hold("a", 1e300)
    with pytest.raises(CrawlPaused), limiter.slot("a"):
        raise AssertionError


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2", 2.0), ("0.25", 0.25), ("0", 0.0), (None, None), ("", None), ("-3", None), ("soon", None), ("nan", None)],
)
def test_retry_after_in_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value) == seconds


def test_retry_after_as_a_date() -> None:
    assert (retry_after_seconds(format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)) or 0) > 0
    assert retry_after_seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert retry_after_seconds("Wed, 99 Oct 2015 07:28:00 GMT") is None


@given(seconds=st.floats(min_value=0, allow_infinity=False, allow_nan=False))
def test_any_finite_number_of_seconds_is_accepted(seconds: float) -> None:
    assert retry_after_seconds(f" {seconds!r} ") == seconds


@given(
    value=st.text()
    | st.from_regex(r"(Mon|Xyz), \d{1,3} (Feb|Bar) \d{1,9} \d\d:\d\d:\d\d( GMT| [+-]\d{4})?", fullmatch=True)
)
def test_any_header_gives_a_finite_time_or_none(value: str) -> None:
    seconds = retry_after_seconds(value)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@given(ahead=st.integers(1, 10**8))
def test_future_date_gives_the_time_until_then(ahead: int) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    target = before + timedelta(seconds=ahead)
    seconds = retry_after_seconds(format_datetime(target, usegmt=True))
    assert seconds is not None
    elapsed = (datetime.now(UTC) - before).total_seconds()
    assert max(0.0, ahead - elapsed) <= seconds <= ahead
