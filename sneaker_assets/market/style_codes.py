"""Manufacturers' style codes in one spelling, so that the same shoe is recognised at several sites."""

import re
import unicodedata

import pandas as pd
from pydantic import Field

from sneaker_assets.market.placeholders import title_overlap
from sneaker_assets.settings.model import SettingsModel

_PREFIX = re.compile(r"^(?:(?:STYLE|SKU|ARTICLE|ART|ITEM|MODEL|CODE|NUMBER|NO|NR)\b[\s.:#]+)+")
_SEPARATOR = re.compile(r"[/,;|&\n]")
_NO_CODE = re.compile(r"[^A-Z0-9]")
_WORD = re.compile(r"[A-Z]{4,}")
_MIN_LENGTH, _MAX_LENGTH = 5, 24
_MIN_DIGITS = 3


class StyleCodeSettings(SettingsModel):
    """Which style codes are placeholders, such as a number that a shop enters for every shoe whose code it lacks.

    Listings of one shoe at one site (its sizes, conditions or sellers) share most words of their titles.
    """

    code_min_products: int = Field(
        default=3, ge=2, description="Minimum number of products of one site that have a placeholder style code."
    )
    code_max_title_overlap: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="Maximum mean share of words that two of their titles have in common (Jaccard index).",
    )


def style_codes(text: object) -> tuple[str, ...]:
    """The style codes in a text, in one spelling: upper-case letters and digits only.

    ``DD1391 100``, ``dd1391-100`` and ``DD1391100`` are one code, ``315122-111/CW2288-111`` are two codes of one shoe.
    A code has 5 to 24 letters and digits, at least three of them digits and not all the same; words, such as those of a
    title, and texts such as ``N/A`` are none.

    Args:
        text: Style codes as a site states them, or a missing value.

    Returns:
        The codes in the order of the text, without duplicates; joined with ``/`` they give the same codes again.
    """
    if not isinstance(text, str):
        return ()
    plain = unicodedata.normalize("NFKC", text).upper().strip()
    parts = [code for part in _SEPARATOR.split(plain) if (code := _code(part))]
    return tuple(dict.fromkeys(parts or [code for code in [_code(plain)] if code]))


def _code(text: str) -> str:
    """One code without separators, or an empty text if it is none."""
    text = _PREFIX.sub("", text.strip())
    code = _NO_CODE.sub("", text)
    foreign = any(character.isalnum() and not character.isascii() for character in text)
    sentence = any(_WORD.fullmatch(word) for word in text.split()) or len(text.split()) > 3
    digits = sum(character.isdigit() for character in code)
    known = _MIN_LENGTH <= len(code) <= _MAX_LENGTH and digits >= _MIN_DIGITS and len(set(code)) > 1
    return code if known and not foreign and not sentence else ""


def product_codes(products: pd.DataFrame) -> pd.DataFrame:
    """Style codes of products, one row per product and code.

    Args:
        products: One row per product: ``site``, ``product_id``, ``title`` and ``style_code``.

    Returns:
        The same columns with the index of ``products`` and ``code``, one of the codes in ``style_code``; products
        without a code have no row.
    """
    codes = {text: list(style_codes(text)) for text in products["style_code"].dropna().unique()}
    stated = products[["site", "product_id", "title", "style_code"]].dropna(subset="style_code")
    return stated.assign(code=stated["style_code"].map(codes)).explode("code").dropna(subset="code")


def placeholder_codes(codes: pd.DataFrame, settings: StyleCodeSettings | None = None) -> pd.DataFrame:
    """Style codes that one site gives to products whose titles have little in common; shoes are not joined by them.

    Args:
        codes: Result of :func:`product_codes`.
        settings: Which codes are placeholders.

    Returns:
        Columns ``site``, ``code``, ``products`` (their number) and ``titles`` (up to three of them), one row per
        placeholder.
    """
    settings = settings or StyleCodeSettings()
    sizes = codes.groupby(["site", "code"])["product_id"].transform("nunique")
    shared = codes[sizes >= settings.code_min_products]
    titles: dict[tuple[str, str], list[str]] = {}
    for site, code, title in zip(shared["site"], shared["code"], shared["title"], strict=True):
        titles.setdefault((site, code), []).append(title)
    rows = [
        {"site": site, "code": code, "products": len(found), "titles": ", ".join(sorted(set(found))[:3])}
        for (site, code), found in titles.items()
        if title_overlap(found) <= settings.code_max_title_overlap
    ]
    return pd.DataFrame(rows, columns=["site", "code", "products", "titles"])


def joining_codes(products: pd.DataFrame, settings: StyleCodeSettings | None = None) -> pd.DataFrame:
    """Style codes by which the same shoe is recognised: all but placeholders.

    Args:
        products: One row per product: ``site``, ``product_id``, ``title`` and ``style_code``.
        settings: Which codes are placeholders.

    Returns:
        Rows of :func:`product_codes`. A placeholder of one site is one at every site.
    """
    codes = product_codes(products)
    return codes[~codes["code"].isin(placeholder_codes(codes, settings)["code"])]
