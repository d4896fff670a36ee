"""The networks that can serve as a backbone, as data: to add one, add a line.

Nothing here loads torch, so that the graph knows its partitions without it; ``backbones`` builds the networks.

torchvision's models: https://docs.pytorch.org/vision/stable/models.html
"""

from dataclasses import dataclass
from typing import Literal

FeatureMap = Literal["features", "features and relu", "all but the last two"]
"""Which part of torchvision's network ends in the last convolutional feature map."""


class UnknownBackboneError(ValueError):
    """No backbone has that name; the message lists those known."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network by its torchvision name, the frame it looks at (pixels) and how its input is normalised ([0, 1])."""

    name: str
    feature_map: FeatureMap = "features"
    height: int = 224
    width: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    deviation: tuple[float, float, float] = (0.229, 0.224, 0.225)


BACKBONES: dict[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        Architecture("vgg16"),
        Architecture("vgg19"),
        Architecture("resnet18", "all but the last two"),
        Architecture("resnet50", "all but the last two"),
        Architecture("densenet121", "features and relu"),
        Architecture("mobilenet_v2"),
    )
}


def get_architecture(name: str) -> Architecture:
    """The architecture of that name.

    Raises:
        UnknownBackboneError: there is none.
    """
    if name not in BACKBONES:
        raise UnknownBackboneError(f"unknown backbone {name!r}: choose one of {', '.join(BACKBONES)}")
    return BACKBONES[name]
