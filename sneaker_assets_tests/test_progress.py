"""Progress lines in the log."""

import logging

import pytest

from sneaker_assets.progress import Progress, duration

logger = logging.getLogger("sneaker_assets.test")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.fixture(autouse=True)
def _every_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sneaker_assets")


def test_line_has_the_time_left_if_the_total_is_known(caplog: pytest.LogCaptureFixture) -> None:
    progress = Progress(logger, "pages", every=0.0)
    progress.add()
    progress.expect(4)
    progress.add()
    progress.add(2)
    unknown, half, whole = lines(caplog)
    assert (unknown.startswith("pages: 1, "), "left" in unknown) == (True, False)
    assert (half.startswith("pages: 2 of 4, "), half.endswith(" s left")) == (True, True)
    assert (whole.startswith("pages: 4 of 4, "), "left" in whole) == (True, False)


def test_earlier_work_counts_as_done_but_not_towards_the_speed(caplog: pytest.LogCaptureFixture) -> None:
    progress = Progress(logger, "pages", of=1_000_010, every=0.0, done=1_000_000)
    progress.finish()
    progress.add(5)
    before, after = lines(caplog)
    assert (before.startswith("pages: 1,000,000 of 1,000,010"), "left" in before) == (True, False)
    assert after.endswith(" s left")


def test_exceeded_total_is_omitted(caplog: pytest.LogCaptureFixture) -> None:
    Progress(logger, "pages", of=2, every=0.0).add(3)
    assert lines(caplog)[0].startswith("pages: 3, ")


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (95, "95 s"), (720, "12 min"), (23_400, "6.5 h")])
def test_duration_uses_a_readable_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words
