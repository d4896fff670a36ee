"""Whether a product can be bought, as shops state it.

https://schema.org/ItemAvailability
"""

import re
from typing import Any

_TERMS = {
    True: "instock limitedavailability onlineonly instoreonly preorder presale backorder madetoorder availablefororder "
    "available lowstock",
    False: "outofstock soldout discontinued oos unavailable notavailable reserved",
}
_AVAILABLE = {term: available for available, terms in _TERMS.items() for term in terms.split()}
_NOT_LETTERS = re.compile(r"[^a-z]")


def is_available(value: Any) -> bool | None:
    """Whether a product can be bought, from a flag or a term such as ``schema.org/InStock``; None if unknown."""
    if isinstance(value, bool):
        return value
    if isinstance(value, dict):
        value = value.get("@id") or value.get("name")
    if not isinstance(value, str):
        return None
    term = _NOT_LETTERS.sub("", re.split(r"[/#:]", value.strip().rstrip("/"))[-1].lower())
    return _AVAILABLE.get(term)
