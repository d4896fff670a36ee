"""Lenient decoding of JSON, lookups in decoded values, and conversion of what is found."""

import html
import json
import math
import re
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import chompjs


def parse_json(source: str | bytes) -> Any:
    """Decoded JSON, or None if the source is invalid."""
    try:
        return json.loads(source)
    except (ValueError, RecursionError):
        return None


def parse_lenient_json(source: str) -> Any:
    """Decoded JSON that may have control characters in strings, trailing commas, comments, and text around it.

    https://github.com/Nykakin/chompjs

    Args:
        source: Text with one JSON object or array.

    Raises:
        ValueError: The source is not JSON; the message has the place.
    """
    try:
        return json.loads(source, strict=False)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        problem = str(error)
    try:
        return _chompjs(source)
    except ValueError:
        pass
    if "&quot;" not in source:
        raise ValueError(problem)
    try:
        return _chompjs(html.unescape(source))
    except ValueError:
        raise ValueError(problem) from None


def _chompjs(source: str) -> Any:
    try:
        return chompjs.parse_js_object(source, loader_kwargs={"strict": False})
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def assigned_json(script: str, variable: re.Pattern[str]) -> Any:
    """JSON value assigned to a variable in a script, or None; anything after the value is ignored."""
    match = variable.search(script)
    if match is None:
        return None
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(script, match.end())
    except (ValueError, RecursionError):
        return None
    return value


def dig(value: Any, *path: str | int) -> Any:
    """Value at a path of keys and list indices, or None if the path does not exist."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def first(value: Any) -> Any:
    """First element of a list, None if it is empty; any other value itself."""
    return dig(value, 0) if isinstance(value, list) else value


def items(value: Any, *path: str | int) -> list[Any]:
    """List at a path, empty if there is none."""
    found = dig(value, *path)
    return found if isinstance(found, list) else []


def mapping(value: Any, *path: str | int) -> dict[str, Any]:
    """Object at a path, empty if there is none."""
    found = dig(value, *path)
    return found if isinstance(found, dict) else {}


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects nested in a JSON value, breadth first."""
    ahead = deque([value])
    while ahead:
        found = ahead.popleft()
        if isinstance(found, dict):
            yield found
            ahead.extend(inner for inner in found.values() if isinstance(inner, dict | list))
        elif isinstance(found, list):
            ahead.extend(inner for inner in found if isinstance(inner, dict | list))


def nested_objects(value: Any) -> Iterator[tuple[dict[str, Any], tuple[dict[str, Any], ...]]]:
    """All objects nested in a JSON value, breadth first, each with the objects that contain it, outermost first."""
    ahead: deque[tuple[Any, tuple[dict[str, Any], ...]]] = deque([(value, ())])
    while ahead:
        found, above = ahead.popleft()
        if isinstance(found, dict):
            yield found, above
            within = (*above, found)
            ahead.extend((inner, within) for inner in found.values() if isinstance(inner, dict | list))
        elif isinstance(found, list):
            ahead.extend((inner, above) for inner in found if isinstance(inner, dict | list))


def number(value: Any) -> float | None:
    """Finite number of at least 0 from a number or a numeric string, such as a count of pages; otherwise None."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and found >= 0 else None


def text(value: Any) -> str | None:
    """String or number as text with normalised whitespace; None for anything else or if it is empty."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    encodable = str(value).encode("utf-8", "replace").decode()  # lone surrogates cannot be stored
    return " ".join(encodable.split()) or None


def first_text(*values: Any) -> str | None:
    """First of the values that is text."""
    return next((found for value in values if (found := text(value))), None)


def parse_date(value: Any) -> datetime | None:
    """Midnight UTC of an ISO 8601 date or date-time from 1900 on, or None."""
    match = re.match(r"(19|[2-9]\d)\d\d-\d\d-\d\d", value) if isinstance(value, str) else None
    try:
        return datetime.fromisoformat(match[0]).replace(tzinfo=UTC) if match else None
    except ValueError:
        return None
