"""The frozen networks that turn a picture into a feature map, and where their weights come from.

Which networks there are is ``architectures``' concern; what is kept of their output is that of ``features``.

torchvision's models: https://docs.pytorch.org/vision/stable/models.html
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sneaker_assets.vision.architectures import Architecture, FeatureMap, get_architecture
from sneaker_assets.vision.settings import WeightsChoice

RANDOM_WEIGHTS_SEED = 0

_LEGACY_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
"""The published DenseNet weights call a layer ``norm.1`` that torchvision's network calls ``norm1``."""


class WeightsError(RuntimeError):
    """The weights cannot be had or do not fit; the message says what to do."""


@dataclass(frozen=True)
class Backbone:
    """A frozen feature extractor with known weights.

    ``network`` maps normalised float images [N, 3, height, width] to a feature map [N, C, h, w]. ``fingerprint``
    identifies architecture and weights; ``weights`` says in plain words where these come from.
    """

    architecture: Architecture
    network: nn.Module
    weights: str
    fingerprint: str


def load_backbone(name: str, choice: WeightsChoice = "auto", weights_folder: Path | None = None) -> Backbone:
    """Build a backbone and give it its weights.

    Args:
        name: A key of ``architectures.BACKBONES``.
        choice: Where the weights come from.
        weights_folder: Folder of state dicts called ``<name>.pth``, ``<name>-*.pth`` or the same as ``.safetensors``.

    Raises:
        UnknownBackboneError: there is no such backbone.
        WeightsError: weights cannot be downloaded, or a file does not fit the network.
    """
    architecture = get_architecture(name)
    file = find_weights(name, weights_folder) if choice == "auto" else None
    # On no device yet: a classifier that is thrown away need not be drawn at random first.
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None)
    if file is not None:
        _take(model, _read(file), file.name)
        weights = f"file {file.name}"
    elif choice == "none":
        weights = f"random (seed {RANDOM_WEIGHTS_SEED}): nothing was learned from photographs"
    else:
        _take(model, _download(name, weights_folder), "the file downloaded")
        weights = "ImageNet"
    network = _feature_map(model, architecture.feature_map)
    if file is None and choice == "none":
        network = _initialise(network.to_empty(device="cpu"))
    network.eval().requires_grad_(requires_grad=False)
    return Backbone(architecture, network, weights, _fingerprint(name, network))


def _feature_map(model: nn.Module, part: FeatureMap) -> nn.Module:
    if part == "all but the last two":
        return nn.Sequential(*list(model.children())[:-2])
    features = model.get_submodule("features")
    return nn.Sequential(features, nn.ReLU()) if part == "features and relu" else features


def _initialise(network: nn.Module) -> nn.Module:
    """Random weights that keep the signal's size from layer to layer (He and others 2015, arXiv 1502.01852)."""
    rng = torch.Generator().manual_seed(RANDOM_WEIGHTS_SEED)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=rng)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    return network


def find_weights(name: str, folder: Path | None) -> Path | None:
    """The file in ``folder`` that holds this backbone's state dict, or None."""
    if folder is None:
        return None
    if not folder.is_dir():
        raise WeightsError(f"the weights folder {folder} is not there: create it, or unset SNEAKER_WEIGHTS")
    patterns = (f"{name}.safetensors", f"{name}-*.safetensors", f"{name}.pth", f"{name}-*.pth")
    return next((file for pattern in patterns for file in sorted(folder.glob(pattern))), None)


def _read(file: Path) -> dict[str, Tensor]:
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, SafetensorError, EOFError, OSError, UnpicklingError) as error:
        raise WeightsError(f"{file} is no state dict that can be read ({_one_line(error)})") from error
    return state


def _take(model: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Give the model these weights, or say how they differ from its own."""
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
    model.load_state_dict(state, assign=True)


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _download(name: str, weights_folder: Path | None) -> dict[str, Tensor]:
    published = torchvision.models.get_model_weights(name).DEFAULT
    try:
        state: dict[str, Tensor] = published.get_state_dict(check_hash=True)
    except OSError as error:
        folder = weights_folder or "a folder of your own, named by SNEAKER_WEIGHTS"
        raise WeightsError(
            f"the ImageNet weights of {name} cannot be downloaded ({error}): put {published.url.rsplit('/', 1)[-1]} "
            f"from {published.url} into {folder}, or train without them with the setting weights: none"
        ) from error
    return state


def _fingerprint(name: str, network: nn.Module) -> str:
    digest = hashlib.sha256(name.encode())
    for key, tensor in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def pool(feature_map: Tensor) -> Tensor:
    """Average and maximum over the map, side by side: [N, C, h, w] to [N, 2C]."""
    return torch.cat([feature_map.mean(dim=(2, 3)), feature_map.amax(dim=(2, 3))], dim=1)
