from pathlib import Path

import numpy as np
import torch

from sneaker_assets.vision.finetuning.activation_cache import CachedInputs, LiveInputs
from sneaker_assets_tests.vision.finetuning.conftest import Setup, finetune_settings

ROWS = np.arange(12)


def test_cached_activations_equal_live_ones_up_to_float16(setup: Setup) -> None:
    cached, live = setup.inputs(finetune_settings()), setup.inputs(finetune_settings(copies=0))
    assert isinstance(cached, CachedInputs)
    assert isinstance(live, LiveInputs)
    expected = live.plain(ROWS).float()
    assert cached.plain(ROWS).shape == expected.shape
    assert torch.allclose(cached.plain(ROWS), expected, rtol=2e-2, atol=2e-2)


def test_augmentation_depends_only_on_epoch_and_row(setup: Setup) -> None:
    for copies in (0, 2):
        inputs = setup.inputs(finetune_settings(copies=copies))
        together = inputs.augmented(ROWS, 3)
        parts = torch.cat([inputs.augmented(ROWS[:5], 3), inputs.augmented(ROWS[5:], 3)])
        assert torch.allclose(parts, together, rtol=1e-3, atol=1e-3)
        assert not torch.equal(inputs.augmented(ROWS, 4), together)
        assert not torch.equal(inputs.plain(ROWS), together)


def test_each_row_takes_one_of_the_cached_copies(setup: Setup) -> None:
    inputs = setup.inputs(finetune_settings())
    assert isinstance(inputs, CachedInputs)
    augmented = inputs.augmented(ROWS, 0).half().numpy()
    chosen = [
        next(n for n, copy in enumerate(inputs.copies) if np.array_equal(copy[inputs.image_index[row]], augmented[row]))
        for row in ROWS
    ]
    assert set(chosen) == {0, 1}


def test_cached_copies_are_reused_and_named_after_the_augmentation(setup: Setup) -> None:
    def files() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in Path(setup.images.scratch).glob("activations-*.npy")}

    first = setup.inputs(finetune_settings())
    before = files()
    assert f"activations-{first.name}-1.npy" in before
    assert setup.inputs(finetune_settings()).name == first.name
    assert files() == before
    other = setup.inputs(finetune_settings(rotation=9.0))
    assert other.name != first.name
    assert set(files()) == {*before, f"activations-{other.name}-0.npy", f"activations-{other.name}-1.npy"}


def test_inputs_are_live_when_no_block_is_frozen(setup: Setup) -> None:
    assert isinstance(setup.inputs(finetune_settings(unfreeze_from="features.0")), LiveInputs)
