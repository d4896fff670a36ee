import pytest
import torch

from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone
from sneaker_assets.vision.backbones.blocks import (
    default_unfreeze_from,
    named_blocks,
    split_at,
    trained_names,
    with_weights,
)
from sneaker_assets.vision.backbones.weights_source import WeightsSource
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.finetuning.model import resolve_settings
from sneaker_assets.vision.settings import FinetuneSettings


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("mobilenet_v2", "none")


@pytest.mark.parametrize("name", ["vgg16", "resnet18", "densenet121", "mobilenet_v2"])
def test_the_parts_of_a_split_compose_to_the_network(name: str) -> None:
    backbone = load_backbone(name, "none")
    blocks = named_blocks(backbone)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        features = backbone.network(images)
        for block in [*list(blocks)[:: max(1, len(blocks) // 3)], ""]:
            split = split_at(backbone, block)
            assert torch.allclose(split.upper(split.lower(images)), features, rtol=1e-3, atol=1e-3), block


def test_an_unknown_block_lists_the_known_ones(backbone: Backbone) -> None:
    assert len(split_at(backbone, "features.17").upper) == 2
    assert len(split_at(backbone, "features").upper) == 19
    with pytest.raises(TrainingError, match=r"mobilenet_v2 has no block 'layer9' .*choose one of features.0, .*18"):
        split_at(backbone, "layer9")


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("mobilenet_v2", "features.14"), ("resnet18", "layer4.0"), ("resnet10", "layer4.0"), ("vgg16", "features.23"),
        ("densenet121", "features.transition3"), ("convnext_tiny", "features.6.1"),
    ],
)  # fmt: skip
def test_fine_tuning_begins_at_the_last_stage_that_has_parameters(name: str, block: str) -> None:
    assert default_unfreeze_from(load_backbone(name, "none")) == block


@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_architecture_can_state_where_fine_tuning_begins(number: int) -> None:
    backbone = load_backbone(f"efficientnet_lite{number}", "none")
    assert default_unfreeze_from(backbone) == "blocks.4.0"
    assert split_at(backbone, "blocks.4.0").upper[0] is not named_blocks(backbone)["blocks.4.0"]


def test_the_default_block_does_not_change_the_settings_of_stored_models(backbone: Backbone) -> None:
    explicit = FinetuneSettings(unfreeze_from="features.14")
    assert resolve_settings(FinetuneSettings(), backbone) == explicit
    assert resolve_settings(FinetuneSettings(unfreeze_from=""), backbone).unfreeze_from == ""


def test_trained_blocks_are_written_back_under_their_own_names(backbone: Backbone) -> None:
    split = split_at(backbone, "features.17")
    names = trained_names(backbone, "features.17")
    with torch.no_grad():
        for parameter in split.upper.parameters():
            parameter.add_(0.01)
    trained = {names[name]: tensor for name, tensor in split.upper.state_dict().items()}
    source = WeightsSource("random", fine_tuned_from="features.17")
    other = with_weights(backbone, trained, source)
    assert other.weights == source
    assert other.fingerprint != backbone.fingerprint
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = split.upper.eval()(split.lower(images))
        assert torch.allclose(other.network(images), expected, rtol=1e-3, atol=1e-3)
        assert not torch.allclose(backbone.network(images), expected, rtol=1e-3, atol=1e-3)
