"""Finding near hashes: bands against comparing all with all, from 10,000 to 1,000,000 synthetic hashes.

Both sides find every pair within 16 of 256 bits, and must agree where both run. Every tenth hash is another one with up
to 16 bits flipped. Comparing all is quadratic, so beyond 40,000 hashes its seconds are those of a sample of its rows,
scaled up. Asked for: the same pairs, and a million hashes within a minute on one core.

    python benchmarks/twins.py
"""

import resource
import time

import numpy as np
from numpy.typing import NDArray
from report import arguments, conclude, table

from sneaker_assets.near_duplicates.grouping import near_pairs

DISTANCE = 16
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
MOST_COMPARED = 40_000
SAMPLE = 400


def synthetic(n: int) -> NDArray[np.uint64]:
    """Random hashes, every tenth a near copy of the one before."""
    rng = np.random.default_rng(n)
    hashes = rng.integers(0, 2**64, (n, 4), dtype=np.uint64)
    for copy in range(1, n, 10):
        flipped = rng.choice(256, rng.integers(0, DISTANCE + 1), replace=False)
        mask = np.zeros(4, dtype=np.uint64)
        for bit in flipped:
            mask[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
        hashes[copy] = hashes[copy - 1] ^ mask
    return hashes


def compare_all(hashes: NDArray[np.uint64], rows: int) -> list[tuple[int, int]]:
    """The near pairs of the first ``rows`` hashes with all that follow them."""
    pairs = []
    for i in range(rows):
        apart = np.bitwise_count(hashes[i + 1 :] ^ hashes[i]).sum(axis=1)
        pairs += [(i, i + 1 + int(j)) for j in np.flatnonzero(apart <= DISTANCE)]
    return pairs


def main() -> None:
    """Measure both sides at each size."""
    arguments(__doc__)
    rows, agree = [], True
    for n in SIZES:
        hashes = synthetic(n)
        started = time.perf_counter()
        found = near_pairs(hashes, DISTANCE)
        ours = time.perf_counter() - started
        compared = n if n <= MOST_COMPARED else SAMPLE
        started = time.perf_counter()
        expected = compare_all(hashes, compared)
        # Row i is compared with the n - i that follow it.
        work = compared * (2 * n - compared) / n**2
        theirs = (time.perf_counter() - started) / work
        agree &= [tuple(pair) for pair in found[found[:, 0] < compared].tolist()] == expected
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        rows.append(
            {
                "hashes": f"{n:,}",
                "pairs": f"{len(found):,}",
                "bands, s": ours,
                "all with all, s": theirs,
                "measured": "whole" if compared == n else f"{SAMPLE} rows",
                "ratio": theirs / ours,
                "peak GB": peak,
            }
        )
        print(f"{n:,} hashes: {ours:.2f} s", flush=True)
    print()
    table(rows)
    print()
    conclude(
        "twins",
        ours=ours,
        theirs=theirs,
        unit="seconds for 1,000,000 hashes",
        asked="the same pairs as comparing all, and 1,000,000 hashes in at most 60 s",
        holds=bool(agree and ours <= 60),
        peak_gigabytes=round(peak, 2),
    )


if __name__ == "__main__":
    main()
