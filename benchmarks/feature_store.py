"""Adding 512 images to a feature store that already has 1,000 or 100,000, and gathering the features of all.

For comparison, the index of all images is rewritten with each part, as earlier versions did. Claim: adding a part takes
at most twice as long at 100,000 images as at 1,000.

    python benchmarks/feature_store.py [--images 1000 10000 100000] [--features 1024]
"""

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from report import command_line, conclude, table
from upath import UPath

from sneaker_assets.lake import read_table, write_table
from sneaker_assets.vision.features.extractor import PART_SIZE
from sneaker_assets.vision.features.store import FeatureStore

REPEATS = 9


def main() -> None:
    """Measure at each size and report."""
    parser = command_line(__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=(1000, 10_000, 100_000), help="default: %(default)s")
    parser.add_argument("--features", type=int, default=1024, help="features of an image; default: %(default)s")
    options = parser.parse_args()
    rows = []
    for images in options.images:
        with tempfile.TemporaryDirectory() as scratch:
            rows.append(measure(Path(scratch), images, options.features))
        print(rows[-1], flush=True)
    print()
    table(rows)
    print()
    first, last = rows[0]["append, ms"], rows[-1]["append, ms"]
    conclude(
        "feature_store",
        ours=last,
        baseline=first,
        unit=f"milliseconds to add {PART_SIZE} images to {options.images[-1]:,}, and to {options.images[0]:,}",
        claim="at most twice as long in the larger store",
        holds=last <= 2 * first,
        rows=rows,
    )


def measure(scratch: Path, images: int, n_features: int) -> dict[str, float]:
    """Fill a store, then measure adding parts to it and gathering everything."""
    rng = np.random.default_rng(0)
    store = FeatureStore.create(UPath(scratch / "features"), {"backbone": "benchmark"})
    part = rng.standard_normal((PART_SIZE, n_features), dtype=np.float32)
    hashes = [f"{number:064x}" for number in range(images)]
    for start in range(0, images, PART_SIZE):
        own = hashes[start : start + PART_SIZE]
        store.append(own, part[: len(own)])
    index = scratch / "index.parquet"
    write_table(UPath(index), pd.DataFrame({"sha256": hashes, "part": 0, "row": 0, "seconds": 0.0}))

    def append(number: int) -> None:
        store.append([f"{number:032x}{row:032x}" for row in range(PART_SIZE)], part)

    def rewrite(number: int) -> None:
        append(-number)
        known = read_table(UPath(index))
        write_table(UPath(index), pd.concat([known, known.head(PART_SIZE)]))

    added = median(seconds(append, number) for number in range(1, REPEATS + 1))
    rewritten = median(seconds(rewrite, number) for number in range(1, REPEATS + 1))
    indexed = seconds(lambda _: store.index(), 0)
    gathered = seconds(lambda _: store.gather(hashes), 0)
    return {
        "images": images,
        "append, ms": 1000 * added,
        "with the index rewritten, ms": 1000 * rewritten,
        "index, s": indexed,
        "gather all, s": gathered,
        "peak GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def seconds(action: Callable[[int], object], number: int) -> float:
    """Duration of one call."""
    start = time.perf_counter()
    action(number)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
