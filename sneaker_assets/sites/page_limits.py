"""Limits within which a page is parsed in bounded time and memory."""

import re

MAX_BYTES = 12_000_000
"""Maximum size of a page; the largest pages of the supported sites have about 3 MB."""

MAX_TAGS = 50_000
"""Maximum number of tags of a page, whose elements take far more memory than its text."""

MAX_DEPTH = 200
"""Maximum nesting of elements; parsers take quadratic time in it."""

MAX_ATTRIBUTES = 5_000
"""Maximum number of words in a tag."""

MAX_NODES = 150_000
"""Maximum number of JSON objects and arrays of a page."""

MAX_VALUES = 1_000_000
"""Maximum number of JSON values of a page."""

_TAG = re.compile(rb"<(\\?/)?([A-Za-z][A-Za-z0-9]*)")
_UNNESTED = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li dt dd option tr td th".split()
)
"""Elements without an end tag, or whose end tag may be omitted."""


def excess(body: bytes) -> str | None:
    """Which limit a body exceeds, None if it can be parsed in bounded time and memory."""
    if len(body) > MAX_BYTES:
        return f"is larger than {MAX_BYTES:,} bytes"
    if body.count(b"<") > MAX_TAGS:
        return f"has more than {MAX_TAGS:,} tags"
    if body.count(b"{") + body.count(b"[") > MAX_NODES:
        return f"has more than {MAX_NODES:,} JSON objects and arrays"
    if body.count(b",") > MAX_VALUES:
        return f"has more than {MAX_VALUES:,} JSON values"
    return _excess_of_tags(body)


def _excess_of_tags(body: bytes) -> str | None:
    """Which limit the nesting or the attributes of the elements exceed, None if they do not."""
    depth, closed_at, in_script = 0, 0, False
    for match in _TAG.finditer(body):
        end, name = match[1], match[2].lower()
        if name == b"script":
            in_script = not end
        elif not in_script and name not in _UNNESTED:
            depth = max(depth - 1, 0) if end else depth + 1
        if depth > MAX_DEPTH:
            return f"has elements nested more than {MAX_DEPTH} deep"
        if not in_script and match.end() > closed_at:
            closing = body.find(b">", match.end())
            closed_at = len(body) if closing < 0 else closing
            if closed_at - match.end() > MAX_ATTRIBUTES and len(body[match.end() : closed_at].split()) > MAX_ATTRIBUTES:
                return f"has a tag of more than {MAX_ATTRIBUTES:,} attributes"
    return None
