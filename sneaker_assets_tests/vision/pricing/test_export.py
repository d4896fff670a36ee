import json
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime
import pytest
import torch
from upath import UPath

from sneaker_assets.lake import Lake
from sneaker_assets.market.splits import assign_splits
from sneaker_assets.vision.backbones.backbone import Backbone, load_backbone
from sneaker_assets.vision.features.extractor import open_store, update_store
from sneaker_assets.vision.heads.networks import EnsembleBody
from sneaker_assets.vision.imaging.decoding import Frame, read_batches, read_image
from sneaker_assets.vision.pricing import export as exporting
from sneaker_assets.vision.pricing.ensemble_model import price_known
from sneaker_assets.vision.pricing.export import INPUTS, ONNX, PROGRAM, ExportError, export
from sneaker_assets.vision.pricing.member_features import load_backbones
from sneaker_assets.vision.pricing.price_model import PriceModel, price_images
from sneaker_assets.vision.pricing.training import train_price_model
from sneaker_assets.vision.settings import FeatureSettings, HeadSettings
from sneaker_assets_tests.builders import listings, store_pictures
from sneaker_assets_tests.ensembles import lake_with_ensemble, train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["scales", "grid"])
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[PriceModel, Backbone, list[UPath]]:
    """A network and a kernel ridge on maps of three sizes in both views: the model with most to export."""
    settings = FeatureSettings(height=48, width=64, keep=request.param, mirrored=True)
    lake, backbone = Lake.at(tmp_path_factory.mktemp("lake")), load_backbone("resnet18", "none")
    brightness = store_pictures(lake, 60)
    store = open_store(lake.folder("features"), backbone, settings)
    images = {sha256: lake.image(sha256) for sha256 in brightness}
    update_store(store, backbone, images, torch.device("cpu"), settings=settings)
    table = listings([1000 * value for value in brightness.values()])
    splits = assign_splits(table.assign(sha256=list(brightness), twin_group=list(brightness)))
    model, _ = train_price_model(lake.folder("models"), store, splits, HeadSettings(kind="mixed", epochs=5, hidden=16))
    # Whatever did best on so few rows: both parts are to be exported.
    cast("EnsembleBody", model.head.body).share.fill_(0.5)
    return model, backbone, list(images.values())


def test_an_exported_model_predicts_the_same_prices(
    trained: tuple[PriceModel, Backbone, list[UPath]], tmp_path: Path
) -> None:
    model, backbone, images = trained
    done = export(UPath(tmp_path / "exported"), model, [backbone], images[:5])
    assert set(done.differences) == {PROGRAM, ONNX}
    assert max(done.differences.values()) < 1e-4
    expected = price_images(model, images[:7], None, torch.device("cpu"))
    assert expected.std() > 10
    frame = Frame(48, 64)
    pixels = np.concatenate(list(read_batches(images[:7], 7, frame)))
    session = onnxruntime.InferenceSession(str(tmp_path / "exported" / ONNX), providers=["CPUExecutionProvider"])
    for batch in (pixels, pixels[:1]):
        (prices,) = session.run(None, {"pixels": batch})
        # The project itself may compute in bfloat16.
        assert prices == pytest.approx(expected[: len(batch)], rel=0.02)


def test_an_export_with_other_prices_is_discarded(
    trained: tuple[PriceModel, Backbone, list[UPath]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    with pytest.raises(ExportError, match=r"predicts other prices .*discarded"):
        export(UPath(tmp_path / "exported"), trained[0], [trained[1]], trained[2][:2])
    assert not (tmp_path / "exported").exists()


def test_an_export_without_pictures_is_refused(
    trained: tuple[PriceModel, Backbone, list[UPath]], tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match="checked on real pictures, and there are none"):
        export(UPath(tmp_path / "exported"), trained[0], [trained[1]], [])


def test_an_exported_ensemble_takes_one_input_per_frame_and_describes_them(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    ensembles = lake_with_ensemble(tmp_path_factory.mktemp("ensembles") / "lake")
    model, hashes = ensembles.model, ensembles.splits["sha256"].head(6).tolist()
    images = [ensembles.lake.image(sha256) for sha256 in hashes]
    backbones = load_backbones(model, None)
    done = export(UPath(tmp_path / "exported"), model, backbones, images[:4])
    assert max(done.differences.values()) < 1e-4
    session = onnxruntime.InferenceSession(str(tmp_path / "exported" / ONNX), providers=["CPUExecutionProvider"])
    inputs = json.loads(session.get_modelmeta().custom_metadata_map["inputs"])
    extra = {INPUTS: ""}
    torch.export.load(tmp_path / "exported" / PROGRAM, extra_files=extra)
    assert json.loads(extra[INPUTS]) == inputs
    assert [one["name"] for one in inputs] == ["pixels_1", "pixels_2"]
    frames = {one["name"]: Frame(one["height"], one["width"], one["fit"]) for one in inputs}
    pixels = {name: np.stack([read_image(path, frame) for path in images]) for name, frame in frames.items()}
    (prices,) = session.run(None, pixels)
    assert prices == pytest.approx(price_known(model, hashes), rel=0.02)


def test_a_network_that_pads_as_tensorflow_does_is_exported(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    lake.root.mkdir()
    hashes = list(store_pictures(lake, 20))
    splits = assign_splits(listings([100.0 * number + 100 for number in range(20)]).assign(sha256=hashes))
    model = train(lake, splits, "efficientnet_lite0", FeatureSettings(height=64, width=96), HeadSettings(kind="ridge"))
    images = [lake.image(sha256) for sha256 in hashes[:3]]
    done = export(UPath(tmp_path / "exported"), model, load_backbones(model, None), images)
    assert max(done.differences.values()) < 1e-4
