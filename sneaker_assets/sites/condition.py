"""Condition of shoes in the words of sites and tables.

schema.org: https://schema.org/OfferItemCondition
"""

import re
import unicodedata

from sneaker_assets.tables import Condition

_CONDITIONS: dict[Condition, str] = {
    "new": """
        new, brand new, new with box, new in box, new with tags, bnib, bnwt, nib, nwt, deadstock, ds, unworn, unused,
        neu, neu mit karton, neuf, nuevo, nuovo, nieuw, novo, mint
        """,
    "used": """
        used, pre owned, preowned, pre loved, preloved, pre worn, refurbished, goat clean, worn, vnds, very near deadstock, gebraucht, getragen, occasion, usato, usado,
        gebruikt, second hand, secondhand, good, very good, fair, like new, excellent, lightly worn, gently used
        """,
    "defects": """
        defects, damaged, new with defects, b stock, new defects, b grade, bgrade, damaged box, box damaged, no box, no original box,
        missing lid, new without box, new no original box, neu ohne karton, neu mit fehlern, new with flaws
        """,
}
_CONDITION_OF = {
    name: condition for condition, names in _CONDITIONS.items() for name in map(str.strip, names.split(","))
}
_SCHEMA = re.compile(r"(?:https?://(?:www\.)?schema\.org/|schema:)?(\w+?)Condition", re.IGNORECASE)


def condition_of(stated: str | None) -> Condition | None:
    """Condition that a text such as ``Pre-Owned``, ``new_no_defects`` or ``https://schema.org/UsedCondition`` states.

    Args:
        stated: A term of a site, or a cell of a table.

    Returns:
        The condition; None if the text states none that is known.
    """
    if stated is None:
        return None
    schema = _SCHEMA.fullmatch(stated.strip())
    plain = unicodedata.normalize("NFKC", schema[1] if schema else stated).casefold()
    words = " ".join(re.findall(r"[^\W_]+", plain))
    return _CONDITION_OF.get(words) or _CONDITION_OF.get(words.removesuffix(" no defects"))
