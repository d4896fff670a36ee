import subprocess
import sys

import pytest
import torch
import torchvision

from sneaker_assets.vision.backbones.architectures import BACKBONES, UnknownBackboneError, get_architecture
from sneaker_assets.vision.backbones.networks import find_input_spec


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vgg61", "unknown backbone 'vgg61': did you mean vgg16 or vgg19? Choose one of vgg16, "),
        ("Efficientnet-Lite0", "did you mean efficientnet_lite0 or efficientnet_lite"),
        ("transformer", "unknown backbone 'transformer': choose one of vgg16, "),
    ],
)
def test_an_unknown_name_is_refused_with_similar_and_registered_ones(name: str, message: str) -> None:
    with pytest.raises(UnknownBackboneError) as raised:
        get_architecture(name)
    assert message in str(raised.value)
    assert str(raised.value).endswith(", ".join(BACKBONES))


def test_the_registry_is_read_without_torch() -> None:
    code = (
        "import sys; from sneaker_assets.vision.backbones import architectures, weights_source; "
        "sys.exit(not {'torch', 'timm', 'torchvision'}.isdisjoint(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_input_sizes_are_those_of_the_published_weights() -> None:
    sizes = {name: find_input_spec(architecture).height for name, architecture in BACKBONES.items()}
    assert {name: size for name, size in sizes.items() if size != 224} == {
        "inception_v3": 299,
        "efficientnetv2": 384,
        "efficientnet_lite1": 240,
        "efficientnet_lite2": 260,
    }


def test_inception_is_normalised_as_transform_input_does() -> None:
    network = torchvision.models.inception_v3(weights=None, init_weights=False, transform_input=True)
    imagenet, own = find_input_spec(get_architecture("vgg16")), find_input_spec(get_architecture("inception_v3"))
    black = torch.full((1, 3, 8, 8), 0.0)
    mean, deviation = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (imagenet.mean, imagenet.deviation))
    expected = (black - torch.tensor(own.mean).reshape(1, 3, 1, 1)) / torch.tensor(own.deviation).reshape(1, 3, 1, 1)
    assert torch.allclose(network._transform_input((black - mean) / deviation), expected, atol=1e-6)
