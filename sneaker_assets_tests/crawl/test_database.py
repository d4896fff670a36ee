"""Crawl state that an earlier version of the adapters wrote."""

from sneaker_assets.crawl.database import PARSER_VERSION, open_database
from sneaker_assets.lake import Lake

PAGE = """INSERT INTO frontier (kind, url, state, etag, sha256, first_seen, last_seen)
VALUES (?, 'u', 'read', 'e', 's', '', '')"""


def test_pages_that_earlier_adapters_parsed_are_parsed_again(lake: Lake) -> None:
    with open_database(lake, "stockx") as database:
        for kind in ("listings", "image"):
            database.rows(PAGE, kind)
        database.rows(f"PRAGMA user_version = {PARSER_VERSION - 1}")
    for _ in range(2):
        with open_database(lake, "stockx") as database:
            found = database.rows("SELECT kind, etag, sha256 FROM frontier ORDER BY kind")
            assert [tuple(row) for row in found] == [("image", "e", "s"), ("listings", None, None)]
