"""Addresses of placeholder images, which shops show for products without a photo."""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

_NOUN = "(?:image|img|photo|picture|pic)s?"
_STATES = "coming-?soon|not-?available|un-?available|not-?found|missing|non-disponible|indisponible"
_PHRASES = re.compile(
    "(?:^|-)(?:"
    rf"placeholders?|no-?(?:product-)?{_NOUN}|(?:missing|awaiting)-{_NOUN}|coming-?soon-{_NOUN}|{_NOUN}-?(?:{_STATES})|"
    "kein-(?:bild|foto)|pas-d-image|pas-de-photo|sin-(?:imagen|foto)|imagen-no-disponible|nessuna-immagine|"
    "immagine-non-disponibile|sem-imagem|geen-afbeelding|brak-zdjecia"
    ")(?:-|$)"
)
"""Words that name a placeholder wherever they stand in a name."""

_GENERIC = re.compile(
    rf"{_NOUN}|coming|soon|comingsoon|defaults?|products?|shoes?|sneakers?|new|blank|generic|small|medium|large|grande|"
    r"thumb|thumbnail|x|px|v|\d+"
)
"""Words that name no product; a name of nothing else that says "coming soon" or "default" is that of a placeholder."""

_HOSTS = ("placehold.co", "placehold.it", "placeholder.com", "dummyimage.com", "fakeimg.pl")
"""Services that draw placeholders."""

_NESTED = frozenset({"url", "src", "image", "img", "path"})
"""Parameters in which image proxies are given the address of the image."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")


def image_address(url: str) -> str:
    """The address of a product's image; empty if it is that of a placeholder."""
    return "" if is_placeholder_address(url) else url


def is_placeholder_address(url: str) -> bool:
    """Whether the name of an image says that it stands for a missing photo.

    Judged are the file name and whole folder names, in any case and with any separator; of parameters only those that
    hold the address of the image itself, as others name what is shown in its place if it is missing.

    Args:
        url: URL or file name of an image.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:  # not a valid URL: judged as a file name
        return _is_placeholder_path(url)
    if any(host == service or host.endswith(f".{service}") for service in _HOSTS):
        return True
    nested = (value for name, value in parse_qsl(parts.query) if name.lower() in _NESTED)
    return any(_is_placeholder_path(path) for path in (parts.path, *(_url_path(value) for value in nested)))


def _url_path(url: str) -> str:
    """Path of a URL; the URL itself if it is malformed."""
    try:
        return urlsplit(url).path
    except ValueError:
        return url


def _is_placeholder_path(path: str) -> bool:
    *folders, file = unquote(path).rstrip("/").split("/")
    name = _normalized(re.sub(r"\.[A-Za-z]{3,4}$", "", file))
    if _PHRASES.search(name) or any(_PHRASES.fullmatch(_normalized(folder)) for folder in folders):
        return True
    words = name.split("-")
    stated = {"soon", "comingsoon"} & set(words) or ("default" in words and len(words) > 1)
    return bool(stated) and all(_GENERIC.fullmatch(word) for word in words)


def _normalized(name: str) -> str:
    """Words and numbers of a name in lower case, joined by hyphens, also where only capitals separate them."""
    return "-".join(_WORD.findall(name)).lower()
