"""The gate over real threads and real time."""

import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sneaker_assets.crawl.errors import CrawlPaused
from sneaker_assets.crawl.rate_limiter import Gate, retry_after_seconds


def moments(gate: Gate, host: str, n: int, threads: int) -> list[float]:
    """When each of ``n`` requests was let through."""

    def pass_through(_: int) -> float:
        with gate.turn(host):
            return time.monotonic()

    with ThreadPoolExecutor(threads) as pool:
        return sorted(pool.map(pass_through, range(n)))


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def test_requests_to_one_host_are_spaced_for_all_threads() -> None:
    times = moments(Gate(delay=0.03, hold_cap=1), "a", n=12, threads=8)
    assert min(gaps(times)) > 0.02
    assert times[-1] - times[0] >= 11 * 0.03 - 0.01


def test_the_host_may_ask_for_more_delay_but_not_for_less() -> None:
    gate = Gate(delay=0.03, hold_cap=1)
    gate.slow_down("slow", 0.08)
    gate.slow_down("quick", 0.001)
    assert min(gaps(moments(gate, "slow", n=3, threads=3))) > 0.07
    assert min(gaps(moments(gate, "quick", n=3, threads=3))) > 0.02


def test_a_hold_stops_every_thread_of_that_host_alone() -> None:
    gate = Gate(delay=0.0, hold_cap=1)
    begun = time.monotonic()
    gate.hold("a", 0.3)
    gate.hold("a", 0.1)
    assert moments(gate, "b", n=8, threads=8)[-1] - begun < 0.2
    assert moments(gate, "a", n=8, threads=8)[0] - begun >= 0.3
    assert gate.held_back == 8


def test_a_long_wait_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("sneaker_assets.crawl.rate_limiter.MIN_LOGGED_WAIT", 0.2)
    gate = Gate(delay=0.1, hold_cap=5)
    gate.hold("a", 0.6)
    with caplog.at_level(logging.INFO):
        moments(gate, "a", n=2, threads=2)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("a asks for rest: nothing is asked of it for ")


def test_a_hold_above_the_cap_says_when_to_come_back() -> None:
    gate = Gate(delay=0.0, hold_cap=60)
    gate.hold("a", 3600)
    with pytest.raises(CrawlPaused, match="come back after") as raised, gate.turn("a"):
        raise AssertionError
    assert abs(raised.value.resume_at - datetime.now(UTC) - timedelta(hours=1)) < timedelta(seconds=5)


def test_a_delay_above_the_cap_is_a_pause_too() -> None:
    gate = Gate(delay=0.0, hold_cap=60)
    gate.slow_down("a", 1e12)
    assert len(moments(gate, "a", n=1, threads=1)) == 1
    with pytest.raises(CrawlPaused, match="come back after"):
        moments(gate, "a", n=1, threads=1)


def test_an_absurd_hold_is_still_a_date() -> None:
    gate = Gate(delay=0.0, hold_cap=60)
    gate.hold("a", 1e300)
    with pytest.raises(CrawlPaused), gate.turn("a"):
        raise AssertionError


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2", 2.0), ("0.25", 0.25), ("0", 0.0), (None, None), ("", None), ("-3", None), ("soon", None), ("nan", None)],
)
def test_retry_after_in_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value) == seconds


def test_retry_after_as_a_date() -> None:
    ahead = retry_after_seconds(format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True))
    assert ahead is not None
    assert 85 < ahead <= 90
    assert retry_after_seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert retry_after_seconds("Wed, 99 Oct 2015 07:28:00 GMT") is None


@given(seconds=st.floats(min_value=0, allow_infinity=False, allow_nan=False))
def test_any_number_of_seconds_is_taken_at_its_word(seconds: float) -> None:
    assert retry_after_seconds(f" {seconds!r} ") == seconds


@given(
    value=st.text()
    | st.from_regex(r"(Mon|Xyz), \d{1,3} (Feb|Bar) \d{1,9} \d\d:\d\d:\d\d( GMT| [+-]\d{4})?", fullmatch=True)
)
def test_any_retry_after_is_a_time_or_nothing(value: str) -> None:
    seconds = retry_after_seconds(value)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@given(ahead=st.integers(1, 10**8))
def test_any_date_to_come_is_that_far_ahead(ahead: int) -> None:
    seconds = retry_after_seconds(format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True))
    assert seconds is not None
    assert ahead - 5 < seconds <= ahead
