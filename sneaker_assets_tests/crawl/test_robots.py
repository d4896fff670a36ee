"""Rules of robots.txt, and the cache of each host's rules."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sneaker_assets.crawl.robots import MAX_AGE, RETRY_AFTER, Robots, parse_robots

RULES = """
User-agent: sneaker-assets
Disallow: /checkout
Allow: /checkout/help
Disallow: /*.json$
Crawl-delay: 1.5
Request-rate: 1/4

User-agent: *
Disallow: /
"""


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_missing_file_allows_everything(status: int) -> None:
    assert parse_robots(status, "User-agent: *\nDisallow: /", "sneaker-assets").allows("https://shop.example/a")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_failing_server_disallows_everything(status: int) -> None:
    assert not parse_robots(status, "<h1>Access Denied</h1>", "sneaker-assets").allows("https://shop.example/a")


@pytest.mark.parametrize(
    ("path", "allowed"), [("/shoes", True), ("/checkout/1", False), ("/checkout/help", True), ("/a/b.json", False)]
)
def test_rules_of_the_own_user_agent_apply(path: str, allowed: bool) -> None:
    assert parse_robots(200, RULES, "sneaker-assets").allows(f"https://shop.example{path}") is allowed


def test_delay_is_the_longer_one_of_crawl_delay_and_request_rate() -> None:
    assert parse_robots(200, RULES, "sneaker-assets").delay == 4.0
    assert parse_robots(200, "User-agent: *\nCrawl-delay: 0.5", "sneaker-assets").delay == 0.5
    assert parse_robots(404, "", "sneaker-assets").delay == 0.0


def test_robots_txt_of_each_host_is_fetched_once() -> None:
    fetched: list[str] = []
    delays: list[tuple[str, float]] = []

    def answer(url: str) -> tuple[int, str]:
        fetched.append(url)
        return 200, RULES

    robots = Robots("sneaker-assets", answer, lambda host, delay: delays.append((host, delay)))
    assert robots.allows("https://a.example/1")
    assert robots.allows("https://a.example/2")
    assert not robots.allows("https://b.example/checkout/2")
    assert fetched == ["https://a.example/robots.txt", "https://b.example/robots.txt"]
    assert delays == [("a.example", 4.0), ("b.example", 4.0)]


def test_robots_txt_is_fetched_again_after_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    files = iter([(200, RULES), (500, ""), (200, "User-agent: *\nDisallow:")])
    robots = Robots("sneaker-assets", lambda _: next(files), lambda *_: None)
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    allowed = []
    for passed in (0.0, MAX_AGE - 1, 2.0, RETRY_AFTER - 1, 2.0):
        now += passed
        allowed.append(robots.allows("https://a.example/checkout"))
    assert allowed == [False, False, False, False, True]
    assert next(files, None) is None


PATHS = st.text("abcxyz/-_.", min_size=1, max_size=12).map(lambda text: f"/{text.lstrip('/')}")
ANY_ROBOTS = st.text(max_size=200) | st.lists(
    st.tuples(
        st.sampled_from(["User-agent", "Disallow", "Allow", "Crawl-delay", "Request-rate", "Sitemap", "Junk"]),
        st.sampled_from(
            ["*", "/", "", "-1", "1/0", "0/1", "1/2s 0900-1700", "nan", "1e9", "/*$", "%zz", "\x00", "inf"]
        ),
    ),
    max_size=8,
).map(lambda lines: "\n".join(f"{name}: {value}" for name, value in lines))


@given(status=st.integers(100, 599), text=ANY_ROBOTS, path=PATHS)
def test_any_file_gives_a_decision_and_a_finite_delay(status: int, text: str, path: str) -> None:
    rules = parse_robots(status, text, "sneaker-assets")
    allowed = rules.allows(f"https://shop.example{path}")
    assert math.isfinite(rules.delay)
    assert rules.delay >= 0
    if status != 200:
        assert allowed == (400 <= status < 500 and status != 429)


@given(forbidden=PATHS, path=PATHS)
def test_disallow_applies_to_the_prefix_of_a_path(forbidden: str, path: str) -> None:
    rules = parse_robots(200, f"User-agent: *\nDisallow: {forbidden}", "sneaker-assets")
    assert rules.allows(f"https://shop.example{path}") == (not path.startswith(forbidden))


@given(forbidden=PATHS, more=PATHS)
def test_longest_matching_rule_applies(forbidden: str, more: str) -> None:
    rules = parse_robots(200, f"User-agent: *\nDisallow: {forbidden}\nAllow: {forbidden}{more}", "sneaker-assets")
    assert rules.allows(f"https://shop.example{forbidden}{more}")
