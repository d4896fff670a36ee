"""File names from text of any origin: product IDs, partition keys, band names, alert IDs.

Percent-encoding as in URLs (RFC 3986): https://www.rfc-editor.org/rfc/rfc3986#section-2.1
"""

import hashlib
import re

from sneaker_assets.errors import SneakerError

MAX_LENGTH = 180
"""Maximum length of a name in bytes; extensions and the suffix of a scratch file still fit into the usual 255."""

_UNSAFE = re.compile(
    rb"""
    [^A-Za-z0-9._-]                                        # separators, control characters, '%', non-ASCII
    | (?:^ | (?<=\.)) \. | \. $                            # hidden files, '..', trailing dots (dropped by Windows)
    """,
    re.VERBOSE,
)
_RESERVED = re.compile(rb"(?:CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(?:\.|$)", re.IGNORECASE)


class EmptyNameError(SneakerError, ValueError):
    """An empty text cannot name a file or folder."""


def path_name(text: str) -> str:
    """Name of a file or folder for any text; different texts have different names.

    Letters, digits, ``-``, ``_`` and single inner dots are kept, so that ordinary names stay as they are. All other
    bytes of the UTF-8 encoding are percent-encoded, as is the first letter of names that Windows reserves. A name
    longer than :data:`MAX_LENGTH` is truncated and ends in the sha256 of the text.

    Args:
        text: Any text that is not empty.

    Returns:
        A single path component of at most :data:`MAX_LENGTH` ASCII characters. Names that differ only in case are
        distinct only where the file system distinguishes them.

    Raises:
        EmptyNameError: The text is empty.
    """
    if not text:
        raise EmptyNameError("an empty text cannot name a file or folder: look for an empty ID or partition key")
    data = text.encode("utf-8", "surrogatepass")
    encoded = _UNSAFE.sub(_percent, data)
    if _RESERVED.match(encoded):
        encoded = _percent(encoded[:1]) + encoded[1:]
    name = encoded.decode("ascii")
    if len(name) <= MAX_LENGTH:
        return name
    suffix = f"~{hashlib.sha256(data).hexdigest()}"
    return name[: MAX_LENGTH - len(suffix)] + suffix


def _percent(match: re.Match[bytes] | bytes) -> bytes:
    data = match if isinstance(match, bytes) else match[0]
    return b"".join(b"%%%02X" % byte for byte in data)
