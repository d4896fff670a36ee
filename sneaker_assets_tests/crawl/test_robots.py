"""robots.txt: the status before the text, and each host's once."""

import pytest

from sneaker_assets.crawl.robots import Robots, judge

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
def test_a_missing_file_allows_everything(status: int) -> None:
    assert judge(status, "User-agent: *\nDisallow: /", "sneaker-assets").allows("https://shop.example/a")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failing_server_forbids_everything(status: int) -> None:
    assert not judge(status, "<h1>Access Denied</h1>", "sneaker-assets").allows("https://shop.example/a")


@pytest.mark.parametrize(
    ("path", "allowed"), [("/shoes", True), ("/checkout/1", False), ("/checkout/help", True), ("/a/b.json", False)]
)
def test_the_rules_of_our_own_agent_count(path: str, allowed: bool) -> None:
    assert judge(200, RULES, "sneaker-assets").allows(f"https://shop.example{path}") is allowed


def test_the_delay_is_the_greater_of_the_two_that_can_be_asked_for() -> None:
    assert judge(200, RULES, "sneaker-assets").delay == 4.0
    assert judge(200, "User-agent: *\nCrawl-delay: 0.5", "sneaker-assets").delay == 0.5
    assert judge(404, "", "sneaker-assets").delay == 0.0


def test_each_host_is_read_once() -> None:
    read: list[str] = []
    told: list[tuple[str, float]] = []

    def answer(url: str) -> tuple[int, str]:
        read.append(url)
        return 200, RULES

    robots = Robots("sneaker-assets", answer, lambda host, delay: told.append((host, delay)))
    assert robots.allows("https://a.example/1")
    assert robots.allows("https://a.example/2")
    assert not robots.allows("https://b.example/checkout/2")
    assert read == ["https://a.example/robots.txt", "https://b.example/robots.txt"]
    assert told == [("a.example", 4.0), ("b.example", 4.0)]
