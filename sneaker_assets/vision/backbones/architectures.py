"""The networks that can serve as a backbone, as data: to add one, add a line.

Nothing here loads torch, so that the graph knows its partitions without it; ``backbones`` builds the networks.

torchvision's models: https://docs.pytorch.org/vision/stable/models.html
timm's models: https://huggingface.co/docs/timm
"""

from dataclasses import dataclass
from typing import Literal

from sneaker_assets.errors import SneakerError

Library = Literal["torchvision", "timm"]
Colour = tuple[float, float, float]


class UnknownBackboneError(SneakerError, ValueError):
    """No backbone has that name; the message lists those known."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network: whose it is, what of it is thrown away, and what its input looks like.

    ``head`` names the children behind the last feature map and ``relu`` says that this map still lacks its ReLU;
    ``height`` and ``width`` (pixels), ``mean`` and ``deviation`` ([0, 1]) are those its ImageNet weights were made for.
    ``stands_bfloat16`` says that its features change by less than 1 % in bfloat16: inverted bottlenecks, whose maps end
    without a ReLU, change by 14 % (measured on mobilenet_v2 with its ImageNet weights).
    """

    name: str
    head: tuple[str, ...] = ("avgpool", "classifier")
    relu: bool = False
    library: Library = "torchvision"
    published_as: str = ""
    height: int = 224
    width: int = 224
    mean: Colour = (0.485, 0.456, 0.406)
    deviation: Colour = (0.229, 0.224, 0.225)
    stands_bfloat16: bool = True

    @property
    def library_name(self) -> str:
        """What its library calls it."""
        return self.published_as or self.name


_RESNET = ("avgpool", "fc")
_HALF = (0.5, 0.5, 0.5)

BACKBONES: dict[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        Architecture("vgg16"),
        Architecture("vgg16_bn"),
        Architecture("vgg19"),
        Architecture("resnet10", ("global_pool", "fc"), library="timm", published_as="resnet10t"),
        Architecture("resnet18", _RESNET),
        Architecture("resnet50", _RESNET),
        Architecture("resnet101", _RESNET),
        Architecture("densenet121", ("classifier",), relu=True),
        # Its weights want [-1, 1]: torchvision's ``transform_input`` undoes ImageNet's normalisation for that.
        Architecture(
            "inception_v3",
            ("AuxLogits", "avgpool", "dropout", "fc"),
            height=299,
            width=299,
            mean=_HALF,
            deviation=_HALF,
        ),
        Architecture("mobilenet_v2", stands_bfloat16=False),
        Architecture("convnext_tiny"),
        Architecture("efficientnetv2", published_as="efficientnet_v2_s", height=384, width=384, stands_bfloat16=False),
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
