"""Recognition of shoe sizes by their values, whatever the language of the option's name."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from sneaker_assets.sites.json_values import dig, text

_NAMES = (
    "size",
    "taille",
    "größe",
    "grosse",
    "talla",
    "taglia",
    "tamanho",
    "maat",
    "storlek",
    "størrelse",
    "サイズ",
    "尺码",
)
_SYSTEMS = (
    "us uk eu eur fr it br jp kr cn cm mm m w men mens man women womens woman wmns y c k t gs ps td kids kid youth "
    "junior infant toddler unisex s size d e ee b wide half taille talla taglia h f herren damen"
)
_WORDS = frozenset(_SYSTEMS.split())
_LETTER_SIZES = "xxs xs s m l xl xxl xxxl 2xl 3xl 4xl os"
_LETTERS = frozenset(_LETTER_SIZES.split())
_NUMBER = re.compile(r"(\d{1,3})(?:[.,]\d)?")
_TOKEN = re.compile(r"\d+(?:[.,]\d+)?|[^\W\d_]+")


def is_size(value: str) -> bool:
    """Whether a value such as ``9``, ``EU 42.5``, ``10.5C``, ``41 1/3``, ``M 9 / W 10.5`` or ``XL`` is a size."""
    plain = unicodedata.normalize("NFKC", value).lower().replace("\u2044", "/").replace("'", "").replace("\u2019", "")
    tokens = _TOKEN.findall(re.sub(r"\b[123]/[123]\b", "", plain))
    if len(plain) > 40 or not tokens:
        return False
    if all(token in _LETTERS for token in tokens) or plain in ("one size", "taille unique", "einheitsgröße"):
        return True
    numbers = [float(token.replace(",", ".")) for token in tokens if _NUMBER.fullmatch(token)]
    words = [token for token in tokens if not token[0].isdigit()]
    plausible = [number for number in numbers if 0 < number <= 60 or 80 <= number <= 350]
    return bool(plausible) and len(numbers) + len(words) == len(tokens) and _WORDS.issuperset(words)


def size_option(names: Sequence[str], variants: Sequence[Any]) -> str | None:
    """Key (``option1`` to ``option3``) under which variants hold their size; None if they have none.

    Args:
        names: Names of the options, in order.
        variants: Variants of one product, with the values of its options.
    """
    ranked = []
    for place, name in enumerate(names[:3], start=1):
        values = {found for variant in variants if (found := text(dig(variant, f"option{place}")))}
        share = sum(map(is_size, values)) / len(values) if values else 0.0
        named = any(word in name.lower() for word in _NAMES)
        if share >= 0.5 or named:
            ranked.append((share >= 0.5, named, share, len(values), f"option{place}"))
    return max(ranked, key=lambda option: option[:4])[-1] if ranked else None
