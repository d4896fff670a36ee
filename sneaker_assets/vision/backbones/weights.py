"""Weights of a network: found in a folder or downloaded, read safely, and refused where they do not fit.

Which networks there are is ``architectures``' concern; ``backbones`` makes feature extractors of them.
"""

import re
from pathlib import Path
from pickle import UnpicklingError
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sneaker_assets.errors import SneakerError, one_line
from sneaker_assets.vision.backbones.architectures import Architecture
from sneaker_assets.vision.backbones.torchvision_models import torchvision_models

_LEGACY_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
"""The published DenseNet weights call a layer ``norm.1`` that torchvision's network calls ``norm1``."""


class WeightsError(SneakerError, RuntimeError):
    """The weights cannot be had or do not fit; the message says what to do."""


def find_weights(name: str, folder: Path | None) -> Path | None:
    """The file in ``folder`` that holds this backbone's state dict, or None."""
    if folder is None:
        return None
    if not folder.is_dir():
        raise WeightsError(f"the weights folder {folder} is not there: create it, or unset SNEAKER_WEIGHTS")
    patterns = (f"{name}.safetensors", f"{name}-*.safetensors", f"{name}.pth", f"{name}-*.pth")
    return next((file for pattern in patterns for file in sorted(folder.glob(pattern))), None)


def read_weights(file: Path) -> dict[str, Tensor]:
    """The state dict in a ``.safetensors`` or ``.pth`` file; no code in it is run.

    Raises:
        WeightsError: it cannot be read, or holds something else.
    """
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        # Mapped where the file's format allows it: nine tenths of VGG16's are a classifier that is thrown away.
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=is_zipfile(file))
    except (RuntimeError, SafetensorError, EOFError, OSError, UnpicklingError) as error:
        raise WeightsError(f"{file} is no state dict that can be read ({one_line(error, max_length=200)})") from error
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise WeightsError(f"{file} holds no state dict: save model.state_dict() alone, names to tensors")
    return state


def take_weights(model: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Give the model these weights.

    Raises:
        WeightsError: they are another network's; the message says which keys differ.
    """
    state = {_LEGACY_DENSENET.sub(r"\1\2", key): tensor for key, tensor in state.items()}
    own = model.state_dict()
    differences = {
        "missing": [key for key in own if key not in state],
        "not of this network": [key for key in state if key not in own],
        "of another shape": [key for key in own if key in state and own[key].shape != state[key].shape],
    }
    if any(differences.values()):
        said = "; ".join(f"{what}: {_some(keys)}" for what, keys in differences.items() if keys)
        raise WeightsError(f"{source} does not hold weights of this network ({said}): put another file in its place")
    # As the network counts: weights are also published in half precision.
    model.load_state_dict({key: state[key].to(tensor.dtype) for key, tensor in own.items()}, assign=True)


def download_weights(architecture: Architecture, folder: Path | None) -> dict[str, Tensor]:
    """The published ImageNet weights, from the cache of torch.hub where they are there already.

    Raises:
        WeightsError: they cannot be downloaded; the message says which file to put where.
    """
    url = _published_at(architecture)
    try:
        state: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        wanted = folder or "a folder of your own, named by SNEAKER_WEIGHTS"
        name, file = architecture.name, url.rsplit("/", 1)[-1]
        rename = "" if file.startswith(f"{name}-") else f" as {name}-imagenet.pth"
        raise WeightsError(
            f"the ImageNet weights of {name} cannot be downloaded ({one_line(error, max_length=200)}): put {file} from {url} "
            f"into {wanted}{rename}, or train without them with the setting weights: none"
        ) from error
    return state


def _published_at(architecture: Architecture) -> str:
    if architecture.library == "torchvision":
        return str(torchvision_models().get_model_weights(architecture.library_name).DEFAULT.url)
    import timm  # noqa: PLC0415 - a second to import, for one backbone

    published = timm.get_pretrained_cfg(architecture.library_name)
    return str(published.url if published else "")


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
