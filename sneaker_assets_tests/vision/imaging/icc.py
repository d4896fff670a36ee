"""Small ICC colour profiles for tests, as Pillow ships none but sRGB.

ICC.1:2001-04: https://www.color.org/icc_specs2.xalter
"""

import itertools
import struct

from PIL import ImageCms

ADOBE_RGB = {
    b"rXYZ": (0.60974, 0.31111, 0.01947),
    b"gXYZ": (0.20528, 0.62567, 0.06087),
    b"bXYZ": (0.14919, 0.06322, 0.74457),
}
"""Primaries of Adobe RGB (1998), adapted to D50."""


def wide_gamut_profile() -> bytes:
    """The sRGB profile with the primaries of Adobe RGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack(">I", profile[128:132])
    for start in range(132, 132 + 12 * count, 12):
        name, offset, _ = struct.unpack(">4sII", profile[start : start + 12])
        if name in ADOBE_RGB:
            profile[offset + 8 : offset + 20] = struct.pack(">3i", *(round(v * 65_536) for v in ADOBE_RGB[name]))
    return bytes(profile)


def red_cyan_profile() -> bytes:
    """A CMYK profile of a press whose cyan ink is red; paper is white, and its other inks are black."""
    ramp = bytes(range(256))
    cells = bytearray()
    for cyan, *others in itertools.product((0, 1), repeat=4):
        lightness, a, b = (0, 128, 128) if any(others) else (128, 208, 188) if cyan else (255, 128, 128)
        cells += bytes((lightness, a, b))
    identity = struct.pack(">9i", 65_536, 0, 0, 0, 65_536, 0, 0, 0, 65_536)
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + 4 * ramp + bytes(cells) + 3 * ramp
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63_190, 65_536, 54_061)
    tags, offset = b"", 132 + 24
    for name, content in ((b"A2B0", lut), (b"wtpt", white)):
        tags += struct.pack(">4sII", name, offset, len(content))
        offset += len(content)
    header = struct.pack(">I4sI4s4s4s", offset, b"lcms", 0x02100000, b"prtr", b"CMYK", b"Lab ")
    header += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">3i", 63_190, 65_536, 54_061)
    return header.ljust(128, b"\0") + struct.pack(">I", 2) + tags + lut + white
