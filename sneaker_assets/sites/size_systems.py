"""System in which a shoe size is given, as sizes and the names of options and columns state it."""

import re
from collections.abc import Mapping

from sneaker_assets.tables import SizeSystem

_SYSTEMS: Mapping[str, SizeSystem] = {
    "us": "us",
    "usa": "us",
    "uk": "uk",
    "eu": "eu",
    "eur": "eu",
    "jp": "jp",
    "cm": "cm",
    "kr": "kr",
    "cn": "cn",
}
_MEN = frozenset({"m", "men", "mens", "man", "herren", "homme"})
_WOMEN = frozenset({"w", "women", "womens", "woman", "wmns", "damen", "femme"})
_KIDS = frozenset({"c", "y", "gs", "ps", "td", "kid", "kids", "youth", "junior", "infant", "toddler"})


def stated_size_system(text: str) -> SizeSystem | None:
    """System that a text such as ``US Size``, ``EU 42.5`` or ``US M 9`` states; None if it states none.

    Args:
        text: A size, or the name of an option or column of sizes.
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    words = set(re.findall(r"[^\W\d_]+", spaced.casefold().replace("'", "")))
    found = {_SYSTEMS[word] for word in words if word in _SYSTEMS}
    if len(found) != 1:
        return None
    (system,) = found
    if system != "us":
        return system
    groups = [bool(words & group) for group in (_MEN, _WOMEN, _KIDS)]
    if sum(groups) != 1:
        return "us"
    return ("us_men", "us_women", "us_kids")[groups.index(True)]
