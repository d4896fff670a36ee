import timm
import torch

from sneaker_assets.vision.backbones.published_names import current_names

BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
OWN = ["conv_stem.weight", "blocks.0.0.conv_dw.weight", "blocks.1.0.conv_pw.weight", "blocks.1.1.conv_pw.weight"]


def test_efficientnet_layers_outside_of_blocks_are_renamed() -> None:
    published = ["_conv_stem.weight", "_bn0.bias", "_conv_head.weight", "_bn1.running_var", "_fc.bias"]
    assert list(current_names(published, OWN).values()) == [
        "conv_stem.weight", "bn1.bias", "conv_head.weight", "bn2.running_var", "classifier.bias",
    ]  # fmt: skip


def test_efficientnet_blocks_are_numbered_within_stages_and_named_by_their_kind() -> None:
    names = {
        "_conv_stem.weight": "conv_stem.weight",
        "_blocks.0._depthwise_conv.weight": "blocks.0.0.conv_dw.weight",
        "_blocks.0._bn1.weight": "blocks.0.0.bn1.weight",
        "_blocks.0._project_conv.weight": "blocks.0.0.conv_pw.weight",
        "_blocks.0._bn2.weight": "blocks.0.0.bn2.weight",
        "_blocks.2._expand_conv.weight": "blocks.1.1.conv_pw.weight",
        "_blocks.2._bn0.weight": "blocks.1.1.bn1.weight",
        "_blocks.2._depthwise_conv.weight": "blocks.1.1.conv_dw.weight",
        "_blocks.2._bn1.weight": "blocks.1.1.bn2.weight",
        "_blocks.2._project_conv.weight": "blocks.1.1.conv_pwl.weight",
        "_blocks.2._bn2.weight": "blocks.1.1.bn3.weight",
    }
    assert current_names(names, OWN) == names


def test_unknown_names_and_blocks_stay_as_they_are() -> None:
    unknown = ["_blocks.3._bn1.weight", "_blocks.0._swish.weight", "extra", "blocks.0.0.conv_dw.weight"]
    assert current_names(["_conv_stem.weight", *unknown], OWN) == {
        "_conv_stem.weight": "conv_stem.weight", **{name: name for name in unknown},
    }  # fmt: skip
    assert current_names(OWN, OWN) == {name: name for name in OWN}


def test_renamed_efficientnet_covers_every_tensor_of_the_network_once() -> None:
    with torch.device("meta"):
        own = list(timm.create_model("tf_efficientnet_lite0").state_dict())
    layers = {0: ["_depthwise_conv", "_bn1", "_project_conv", "_bn2"]}
    inverted = ["_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2"]
    n_blocks = len({name.rsplit(".", 2)[0] for name in own if name.endswith("conv_dw.weight")})
    stems = [f"_blocks.{i}.{layer}" for i in range(n_blocks) for layer in layers.get(i, inverted)]
    stems += ["_conv_stem", "_bn0", "_conv_head", "_bn1", "_fc"]
    published = [
        f"{stem}.{tensor}"
        for stem in stems
        for tensor in (BATCH_NORM if "_bn" in stem else ("weight", "bias") if stem == "_fc" else ("weight",))
    ]
    assert sorted(current_names(published, own).values()) == sorted(own)


def test_older_densenet_names_are_renamed() -> None:
    older = "features.denseblock1.denselayer1.norm.1.weight"
    assert current_names([older], []) == {older: "features.denseblock1.denselayer1.norm1.weight"}
