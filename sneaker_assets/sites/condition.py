"""Condition of shoes as sites state it: new, used, or unworn with a flaw.

https://schema.org/OfferItemCondition
"""

import re
from typing import Any

from sneaker_assets.tables import Condition

_TERMS: dict[Condition, str] = {
    "new": "new brandnew newcondition newnodefects newwithbox newwithtags unworn deadstock ds bnib",
    "used": "used usedcondition preowned preloved secondhand preworn worn gentlyused lightlyused refurbished "
    "refurbishedcondition goatclean",
    "defects": "damaged damagedcondition newwithdefects newwithdefect defects bgrade bstock newwithoutbox nobox",
}
_CONDITIONS: dict[str, Condition] = {term: condition for condition, terms in _TERMS.items() for term in terms.split()}
_NOT_LETTERS = re.compile(r"[^a-z]")


def stated_condition(value: Any) -> Condition | None:
    """Condition that a term such as ``schema.org/UsedCondition``, ``Pre-Owned`` or ``new_no_defects`` names, or None.

    Args:
        value: Term of a site, or a JSON-LD node with the term under ``@id`` or ``name``.
    """
    if isinstance(value, dict):
        value = value.get("@id") or value.get("name")
    if not isinstance(value, str):
        return None
    term = re.split(r"[/#:]", value.strip().rstrip("/"))[-1].lower()
    return _CONDITIONS.get(_NOT_LETTERS.sub("", term))
