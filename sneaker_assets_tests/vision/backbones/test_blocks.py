import pytest
import torch

from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone
from sneaker_assets.vision.backbones.blocks import named_blocks, split_at, trained_names, with_weights
from sneaker_assets.vision.errors import TrainingError


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("mobilenet_v2", "none")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "resnet18", "densenet121", "mobilenet_v2"])
def test_splitting_at_any_block_preserves_the_output(name: str) -> None:
    backbone = load_backbone(name, "none")
    blocks = named_blocks(backbone)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        whole = backbone.network(images)
        for block in [*list(blocks)[:: max(1, len(blocks) // 3)], ""]:
            split = split_at(backbone, block)
            assert torch.allclose(split.upper(split.lower(images)), whole, rtol=1e-3, atol=1e-3), block


def test_split_at_an_unknown_block_lists_the_known_ones(backbone: Backbone) -> None:
    assert len(split_at(backbone, "features.17").upper) == 2
    assert len(split_at(backbone, "features").upper) == 19
    with pytest.raises(TrainingError, match=r"mobilenet_v2 has no block 'layer9' .*choose one of features.0, .*18"):
        split_at(backbone, "layer9")


def test_trained_blocks_are_put_back_into_the_backbone(backbone: Backbone) -> None:
    split = split_at(backbone, "features.17")
    names = trained_names(backbone, "features.17")
    with torch.no_grad():
        for parameter in split.upper.parameters():
            parameter.add_(0.01)
    trained = {names[name]: tensor for name, tensor in split.upper.state_dict().items()}
    other = with_weights(backbone, trained, "fine-tuned")
    assert other.fingerprint != backbone.fingerprint
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = split.upper.eval()(split.lower(images))
        assert torch.allclose(other.network(images), expected, rtol=1e-3, atol=1e-3)
        assert not torch.allclose(backbone.network(images), expected, rtol=1e-3, atol=1e-3)
