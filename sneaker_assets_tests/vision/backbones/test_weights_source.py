import json

import pytest

from sneaker_assets.errors import SneakerError
from sneaker_assets.vision.backbones.weights_source import HEAD, WeightsSource

SOURCES = [
    WeightsSource("random"),
    WeightsSource("packaged"),
    WeightsSource("imagenet"),
    WeightsSource("file", "vgg16-imagenet.pth"),
    WeightsSource("file", "a file, with a comma.pth", "features.14"),
    WeightsSource("random", fine_tuned_from=HEAD),
    WeightsSource("packaged", fine_tuned_from="blocks.5.0"),
]


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_a_stored_provenance_is_read_back(source: WeightsSource) -> None:
    assert WeightsSource.parse(json.loads(json.dumps(source.as_dict()))) == source
    assert WeightsSource.parse(source.describe()) == source


@pytest.mark.parametrize(
    ("prose", "source"),
    [
        ("random (seed 0): nothing was learned from photographs", WeightsSource("random")),
        ("ImageNet", WeightsSource("imagenet")),
        ("file vgg16-imagenet.pth", WeightsSource("file", "vgg16-imagenet.pth")),
        ("file x.pth, fine-tuned from layer4.1 on", WeightsSource("file", "x.pth", "layer4.1")),
        (
            "random (seed 0): nothing was learned from photographs, fine-tuned from its head on",
            WeightsSource("random", None, HEAD),
        ),
    ],
)
def test_descriptions_of_earlier_versions_are_read_and_written_the_same(prose: str, source: WeightsSource) -> None:
    assert WeightsSource.parse(prose) == source
    assert str(source) == prose


@pytest.mark.parametrize("stored", ["by hand", "", {"kind": "file", "path": "x"}])
def test_an_unknown_provenance_is_shown(stored: str | dict[str, str]) -> None:
    with pytest.raises(SneakerError, match="unknown provenance of weights"):
        WeightsSource.parse(stored)


def test_each_provenance_has_the_choice_that_loads_it_again() -> None:
    choices = {source.kind: source.choice for source in SOURCES}
    assert choices == {"random": "none", "packaged": "imagenet", "imagenet": "auto", "file": "auto"}


def test_packaged_weights_are_described() -> None:
    assert str(WeightsSource("packaged", None, "blocks.5.0")) == "ImageNet (packaged), fine-tuned from blocks.5.0 on"
