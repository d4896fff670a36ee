"""Parsing of written amounts of money and currency codes."""

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

from sneaker_assets.errors import SneakerError

Separator = Literal[".", ","]

_ISO_4217 = """
AED AFN ALL AMD ARS AUD AWG AZN BAM BBD BDT BGN BHD BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNH CNY COP CRC
CUP CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR
ISK JMD JOD JPY KES KGS KHR KRW KWD KYD KZT LAK LBP LKR LYD MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD
NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SCR SEK SGD SYP THB TJS TMT TND TOP TRY
TTD TWD TZS UAH UGX USD UYU UZS VES VND XAF XCD XOF XPF YER ZAR ZMW
"""
_CODES = frozenset(_ISO_4217.split())
"""Known currency codes, so that other words of three letters are not mistaken for one."""

_SIGNS = {
    "$": "USD CAD AUD NZD HKD SGD TWD MXN ARS CLP COP UYU",
    "DOLLAR": "USD CAD AUD NZD HKD SGD TWD",
    "DOLLARS": "USD CAD AUD NZD HKD SGD TWD",
    "US$": "USD",
    "US": "USD",
    "U.S.$": "USD",
    "C$": "CAD",
    "CA$": "CAD",
    "CA": "CAD",
    "CDN$": "CAD",
    "CAN$": "CAD",
    "A$": "AUD",
    "AU$": "AUD",
    "AU": "AUD",
    "NZ$": "NZD",
    "HK$": "HKD",
    "S$": "SGD",
    "SG$": "SGD",
    "NT$": "TWD",
    "MX$": "MXN",
    "R$": "BRL",
    "€": "EUR",
    "EURO": "EUR",
    "EUROS": "EUR",
    "£": "GBP EGP",
    "¥": "JPY CNY",
    "JP¥": "JPY",
    "CN¥": "CNY",
    "円": "JPY",
    "元": "CNY TWD HKD",
    "RMB": "CNY",
    "₩": "KRW",
    "원": "KRW",
    "₹": "INR",
    "RS": "INR PKR LKR NPR MUR",
    "₽": "RUB",
    "РУБ": "RUB",
    "₴": "UAH",
    "ZŁ": "PLN",
    "KČ": "CZK",
    "FT": "HUF",
    "LEI": "RON",
    "ЛВ": "BGN",
    "KR": "SEK NOK DKK ISK",
    "FR": "CHF",
    "SFR": "CHF",
    "₺": "TRY",
    "TL": "TRY",
    "₪": "ILS",
    "฿": "THB",
    "₫": "VND",
    "₱": "PHP",
    "RM": "MYR",
    "RP": "IDR",
    "R": "ZAR",
}
"""Currencies that a sign or word can stand for, in upper case and without a final point."""

_COMMA = "AED AUD CAD CHF CNH CNY EUR GBP HKD ILS INR JPY KRW MXN MYR NZD PHP SAR SGD THB TWD USD ZAR"
_POINT = "ARS BGN BRL CLP COP CZK DKK EUR HRK HUF IDR ISK NOK PLN PYG RON RSD RUB SEK TRY UAH UYU VND"
_THOUSANDS = {",": frozenset(_COMMA.split()), ".": frozenset(_POINT.split())}
"""Currencies whose amounts are written with a separator between groups of three digits; euros with either."""

_SMALL = "CLP COP CZK HUF IDR INR ISK JPY KRW PHP PYG RSD RUB THB TWD VND"
_SMALL_UNITS = frozenset(_SMALL.split())
"""Currencies in which 9,999 and 99,999 are plausible prices of shoes."""

_MISSING = frozenset(
    {"", "-", "--", "\u2013", "\u2014", "n/a", "#n/a", "na", "<na>", "nan", "#nan", "null", "none", "nil"}
)
"""Texts by which tables and pages state that there is no amount, in lower case."""

_MAX_LENGTH = 64
_NO_SEPARATORS = str.maketrans("", "", "., '")
_EQUIVALENTS = str.maketrans({"\u2019": "'", "\u066b": ".", "\u066c": ","})
_SPACES = re.compile(r"\s+")
_NUMBER = re.compile(r"\d(?:[\d., ']*\d)?(?:[.,](?:[-\u2013\u2014]{1,2})?)?|(?<!\w)[.,]\d{1,2}(?!\d)")
_GROUPED = {
    separator: re.compile(rf"\d{{1,3}}(?:{re.escape(separator)}\d{{3}})+|\d{{1,2}}(?:,\d{{2}})+,\d{{3}}")
    for separator in ".,' "
}
"""Digits in groups of three, or with commas in the Indian grouping."""


class AmountError(SneakerError, ValueError):
    """A text is there but is not a readable amount; the message is one line with the text."""


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of money.

    Attributes:
        value: Positive, finite number of units of the currency.
        currency: ISO 4217 code, None if unknown.
    """

    value: float
    currency: str | None = None


def parse_amount(
    value: Any, *, currency: str | None = None, decimal_separator: Separator | None = None
) -> Amount | None:
    """Amount from a number or a written amount such as ``$1,190.00``, ``1.190,00 €``, ``1 234,56`` or ``CHF 1'190.-``.

    The separators are told apart by the text where it does so: two different ones, one or two digits after a single
    one, or several groups of three digits. Otherwise, as in ``1.190``, ``decimal_separator`` decides, then the
    currency. Structured data follows the same rules, since shops also write their own conventions there.

    https://schema.org/price

    Args:
        value: A number, or text that consists of one amount and optionally its currency.
        currency: ISO 4217 code stated elsewhere, such as on the page or for a whole table.
        decimal_separator: Decimal separator that the source is known to use.

    Returns:
        The amount. Its currency is the stated one, else the one that its sign or code denotes; None if neither is
        given, if the sign stands for several currencies, or if it contradicts the stated one. None instead of an amount
        if it is missing: empty, ``n/a`` and similar, zero, or a placeholder such as 999999.

    Raises:
        AmountError: There is a value but it is not one readable amount: other text, a negative or infinite number, or
            ambiguous separators.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return _parse_text(value, currency, decimal_separator)
    if isinstance(value, bool):
        raise AmountError(_message(value, "is not an amount"))
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise AmountError(_message(value, "is not an amount")) from None
    return _amount(number, currency, value)


def amount(value: Any) -> float | None:
    """Price from a number or a written amount; None if it is missing, unreadable or a placeholder."""
    try:
        parsed = parse_amount(value)
    except AmountError:
        return None
    return parsed.value if parsed else None


def currency_code(value: Any) -> str | None:
    """Upper-case ISO 4217 code, or None if the value is not a three-letter code."""
    code = value.strip().upper() if isinstance(value, str) else ""
    return code if re.fullmatch(r"[A-Z]{3}", code) else None


def is_placeholder(number: float, currency: str | None = None) -> bool:
    """Whether an amount stands for a missing price: zero, or only nines from 9,999 on, with or without cents.

    Args:
        number: The amount.
        currency: Its ISO 4217 code; in currencies of small units, such as yen, five nines or fewer are a price.
    """
    whole = int(number)
    nines = str(whole) if set(str(whole)) == {"9"} else ""
    cents = round((number - whole) * 100)
    return number == 0 or (len(nines) >= (6 if currency in _SMALL_UNITS else 4) and cents in (0, 90, 99))


def _parse_text(text: str, currency: str | None, decimal_separator: Separator | None) -> Amount | None:
    plain = _plain(text)
    if plain.lower() in _MISSING:
        return None
    numbers = list(_NUMBER.finditer(plain)) if len(plain) <= _MAX_LENGTH else []
    if len(numbers) != 1:
        raise AmountError(_message(text, "is not one amount"))
    before, after = plain[: numbers[0].start()], plain[numbers[0].end() :]
    signed = _currencies(text, before, after)
    known = _known_currency(currency, signed)
    value = _number(text, numbers[0][0], (known,) if known else signed, decimal_separator)
    return _amount(value, known, text)


def _known_currency(stated: str | None, signed: tuple[str, ...]) -> str | None:
    """The currency on which the caller's statement and the sign agree, None if there is none."""
    if stated is not None:
        return stated if not signed or stated in signed else None
    return signed[0] if len(signed) == 1 else None


def _plain(text: str) -> str:
    """Text with ASCII digits, plain separators and single spaces."""
    if any(character.isdigit() and not character.isdecimal() for character in text):
        return "superscript"  # such as cents in superscript, which normalisation would append to the amount
    text = unicodedata.normalize("NFKC", text).translate(_EQUIVALENTS)
    digits = (str(unicodedata.decimal(character)) if character.isdecimal() else character for character in text)
    return _SPACES.sub(" ", "".join(digits)).strip(" \ufeff\u200b\u200e\u200f")


def _currencies(text: str, before: str, after: str) -> tuple[str, ...]:
    """Currencies that the signs and words beside the number can stand for; empty if there are none.

    Raises:
        AmountError: A word is no currency, or two words name different ones.
    """
    possible: tuple[str, ...] = ()
    for word in f"{before} {after}".upper().split():
        sign = word.strip("():'").rstrip(".")
        named = (sign,) if sign in _CODES else tuple(_SIGNS.get(sign, "").split())
        possible = tuple(code for code in named if code in possible) if possible else named
        if not possible:
            raise AmountError(_message(text, "is not one amount"))
    return possible


def _number(text: str, number: str, currencies: tuple[str, ...], decimal_separator: Separator | None) -> float:
    number = re.sub(r"[.,][-\u2013\u2014]{0,2}$", "", number)
    separators = [character for character in number if not character.isdigit()]
    if not separators:
        return float(number)
    kinds, last = list(dict.fromkeys(separators)), separators[-1]
    whole, _, fraction = number.rpartition(last)
    if last in ".," and separators.count(last) == 1:
        if len(kinds) == 2 and _GROUPED[kinds[0]].fullmatch(whole):
            return float(f"{whole.translate(_NO_SEPARATORS)}.{fraction}")
        if len(kinds) == 1 and (len(fraction) != 3 or not re.fullmatch("[1-9][0-9]{0,2}", whole)):
            return float(f"{whole or 0}.{fraction}")
        if len(kinds) == 1 and decimal_separator == last:
            return float(f"{whole}.{fraction}")
        if len(kinds) == 1 and decimal_separator is None and _THOUSANDS[last].isdisjoint(currencies):
            raise AmountError(_message(text, "is ambiguous: its separator may be of decimals or of thousands"))
    if len(kinds) == 1 and _GROUPED[last].fullmatch(number):
        return float(number.translate(_NO_SEPARATORS))
    raise AmountError(_message(text, "has separators that do not group its digits"))


def _amount(number: float, currency: str | None, value: Any) -> Amount | None:
    if not math.isfinite(number) or number < 0:
        raise AmountError(_message(value, "is not a positive, finite amount"))
    return None if is_placeholder(number, currency) else Amount(number, currency)


def _message(value: Any, reason: str) -> str:
    if not isinstance(value, str):
        return f"a value of type {type(value).__name__} {reason}"
    shown = " ".join(value.encode("utf-8", "replace").decode().split())
    return f"{shown[:_MAX_LENGTH]!r} {reason}"
