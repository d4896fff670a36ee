"""Encodes images for files."""

import io

from PIL import Image


def png_bytes(image: Image.Image) -> bytes:
    """The image as the content of a PNG file."""
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()
