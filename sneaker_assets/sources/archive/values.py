"""What cells of a field hold: sizes, conditions, kinds of price, image addresses."""

import re

from sneaker_assets.sites.parsing import text
from sneaker_assets.sites.size_systems import stated_size_system
from sneaker_assets.tables import LabelKind, SizeSystem
from sneaker_assets.tables.values import LABEL_KINDS

_IMAGE_SUFFIX = re.compile(r"\.(jpe?g|png|webp|gif|avif|bmp|tiff?|heic|jfif)$", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://[^\s/]+", re.IGNORECASE)
_LISTED = re.compile(
    r"""[\s\[("']*(https?://[^\s"'|]+?)[\s"'\]|]*(?:[,;|\s]\s*["']?https?://.*)?$""", re.IGNORECASE | re.DOTALL
)
_SIZE_NUMBER = re.compile(r"\d+(?:[.,]\d+)?(?:\s+\d/\d)?")
_KIND_OF: dict[str, LabelKind] = {kind.replace("_", ""): kind for kind in LABEL_KINDS} | {
    "ask": "lowest_ask",
    "bid": "highest_bid",
    "sold": "last_sale",
    "average": "average_sale",
    "regular": "list",
    "msrp": "retail",
}
_YES = {"yes": True, "y": True, "true": True, "1": True, "no": False, "n": False, "false": False, "0": False}


def is_address(cell: str) -> bool:
    """Whether a cell is an HTTP address.

    Args:
        cell: A cell.
    """
    return _ADDRESS.match(image_of(cell)) is not None


def image_of(cell: str) -> str:
    """Image that a cell names: the first address if it lists several, otherwise the cell.

    Args:
        cell: A cell, such as a file name, an address, or a list of addresses.
    """
    listed = _LISTED.match(cell)
    return listed[1] if listed else cell if cell.strip() else ""


def is_image_name(cell: str) -> bool:
    """Whether a cell ends like the name of an image file.

    Args:
        cell: A cell.
    """
    return _IMAGE_SUFFIX.search(cell.strip()) is not None


def kind_of(cell: str) -> LabelKind | None:
    """Kind of price that a cell such as ``Lowest Ask`` states; None if it states none.

    Args:
        cell: A cell.
    """
    return _KIND_OF.get("".join(re.findall(r"[^\W_]+", cell.casefold())))


def yes_or_no(cell: str) -> bool | None:
    """Value of a flag such as ``yes`` or ``0``; None for other text.

    Args:
        cell: A cell.
    """
    return _YES.get(cell.strip().casefold())


def size_of(cell: str) -> tuple[str | None, SizeSystem | None]:
    """Size and the system that its cell states: ``US 9.5`` is size 9.5 of the system us.

    Args:
        cell: A cell.
    """
    size = text(cell)
    if size is None:
        return None, None
    system = stated_size_system(size)
    numbers = _SIZE_NUMBER.findall(size)
    if len(numbers) == 1 and (system or numbers[0] == size):
        size = re.sub(r"^(\d+)[.,]0+$", r"\1", numbers[0]).replace(",", ".")
    return size, system
