"""Products in microdata, as the nodes that JSON-LD would have.

https://html.spec.whatwg.org/multipage/microdata.html
"""

from typing import TYPE_CHECKING, Any

from sneaker_assets.sites.json_values import first_text
from sneaker_assets.sites.parsing import Document, attribute

if TYPE_CHECKING:
    from bs4 import Tag

_SCOPES = ("div", "section", "article", "main", "body")
_SPELLINGS = {"pricecurrency": "priceCurrency"}
_OFFER = ("price", "priceCurrency", "availability")


def microdata_product(document: Document) -> dict[str, Any]:
    """The first product of a page, empty if there is none; a price outside an offer gets one."""
    found = (tag for tag in document.tags(*_SCOPES) if attribute(tag, "itemtype").rstrip("/").endswith("Product"))
    product = next(found, None)
    if product is None:
        return {}
    node = _item(product)
    if "offers" not in node and "price" in node:
        node["offers"] = {name: node[name] for name in _OFFER if name in node}
    return node


def _item(scope: "Tag") -> dict[str, Any]:
    """Properties of an item; one that occurs several times has a list of values."""
    values: dict[str, list[Any]] = {}
    for tag in scope.find_all(itemprop=True):
        if tag.find_parent(itemscope=True) in (scope, None):
            value = _item(tag) if tag.has_attr("itemscope") else _value(tag)
            for name in attribute(tag, "itemprop").split():
                if value:
                    values.setdefault(_SPELLINGS.get(name, name), []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def _value(tag: "Tag") -> str | None:
    link = attribute(tag, "href") if tag.name in ("link", "a") and not tag.get_text(strip=True) else None
    return first_text(attribute(tag, "content"), attribute(tag, "src"), link, tag.get_text(" "))
