"""Style codes in one spelling, and codes by which no shoes are joined."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sneaker_assets.market.style_codes import joining_codes, placeholder_codes, product_codes, style_codes

CODES = st.from_regex(r"[A-Z]{0,2}[0-9]{4,6}-[0-9]{3}", fullmatch=True).filter(lambda code: len(set(code) - {"-"}) > 1)


def products(site: str, *titles: str, code: str | None = "AB1234-100") -> pd.DataFrame:
    rows = [{"site": site, "product_id": f"p{i}", "title": title, "style_code": code} for i, title in enumerate(titles)]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("315122-111/CW2288-111", ("315122111", "CW2288111")),
        ("CW2288-111, 315122-111", ("CW2288111", "315122111")),
        ("315122-111 / 315122 111", ("315122111",)),
        ("DD1391-100", ("DD1391100",)),
        ("dd1391 100", ("DD1391100",)),
        ("DD1391–100", ("DD1391100",)),  # noqa: RUF001 - an en dash
        ("ＤＤ１３９１－１００", ("DD1391100",)),  # noqa: RUF001 - full-width letters
        ("Style: DD1391-100", ("DD1391100",)),
        ("GY1234", ("GY1234",)),
        ("M990GL6", ("M990GL6",)),
        ("M990/GL6", ("M990GL6",)),
        ("1201A019-107", ("1201A019107",)),
        ("374915_01", ("37491501",)),
    ],
)
def test_spellings_of_a_code_are_one(text: str, codes: tuple[str, ...]) -> None:
    assert style_codes(text) == codes


@pytest.mark.parametrize(
    "text",
    [
        "N/A", "TBD", "-", "0", "", "sneakers", "000000", "Nike Dunk Low 2021", "10.5", "2021", "US 10",
        "スニーカー1234", "https://shop.test/p/1234567890123456789012345", None, float("nan"), pd.NA,
    ],
)  # fmt: skip
def test_other_texts_are_no_code(text: object) -> None:
    assert style_codes(text) == ()


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.text(max_size=40), st.lists(CODES, max_size=3).map("/".join)))
def test_codes_of_codes_are_the_same(text: str) -> None:
    codes = style_codes(text)
    assert style_codes("/".join(codes)) == codes


@settings(deadline=None, max_examples=100)
@given(st.lists(CODES, min_size=1, max_size=3), st.sampled_from(["", " ", "-", "_", "–"]), st.sampled_from("/,;|"))  # noqa: RUF001
def test_codes_do_not_depend_on_case_spaces_and_dashes(codes: list[str], dash: str, separator: str) -> None:
    written = f" {separator} ".join(code.lower().replace("-", dash) for code in codes)
    assert style_codes(written) == style_codes("/".join(codes)) != ()


def test_code_of_unlike_products_of_one_site_is_a_placeholder() -> None:
    table = products("kith", "Dunk Low Panda", "Yeezy Boost Zebra", "Gel Lyte III")
    found = placeholder_codes(product_codes(table))
    assert found[["site", "code", "products"]].values.tolist() == [["kith", "AB1234100", 3]]
    assert "Dunk Low Panda" in found["titles"].iloc[0]
    elsewhere = pd.concat([table, products("goat", "Samba OG")], ignore_index=True)
    assert joining_codes(elsewhere).empty


@pytest.mark.parametrize(
    "titles",
    [("Dunk Low Panda, size 9", "Dunk Low Panda, size 10", "Dunk Low Panda, used"), ("Dunk Low Panda", "Yeezy Zebra")],
)
def test_code_of_like_or_few_products_is_none(titles: tuple[str, ...]) -> None:
    table = products("kith", *titles)
    assert placeholder_codes(product_codes(table)).empty
    assert joining_codes(table)["code"].tolist() == ["AB1234100"] * len(titles)


def test_products_without_a_code_have_no_row() -> None:
    assert product_codes(products("kith", "Dunk", code=None)).empty
    assert product_codes(products("kith", "Dunk", code="TBD")).empty
    assert placeholder_codes(product_codes(products("kith", "Dunk", code=None))).empty
