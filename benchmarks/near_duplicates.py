"""Search for near duplicates among perceptual hashes: banding compared with brute force, up to 1,000,000 hashes.

Both find all pairs within a Hamming distance of 16 of 256 bits, and have to agree. Every tenth hash is a copy of
another with up to 16 bits flipped. Brute force is quadratic, so beyond 40,000 hashes its duration is extrapolated from
a sample of its rows. Claims: the same pairs, and a million hashes within a minute on one core.

    python benchmarks/near_duplicates.py
"""

import resource
import time

import numpy as np
from numpy.typing import NDArray
from report import arguments, conclude, table

from sneaker_assets.near_duplicates.grouping import near_pairs

DISTANCE = 16
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
MAX_COMPARED = 40_000
SAMPLE = 400


def synthetic(n: int) -> NDArray[np.uint64]:
    """Random hashes, of which every tenth is a near duplicate of the previous one."""
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
    """Pairs of the first ``rows`` hashes with later ones, by brute force."""
    pairs = []
    for i in range(rows):
        distances = np.bitwise_count(hashes[i + 1 :] ^ hashes[i]).sum(axis=1)
        pairs += [(i, i + 1 + int(j)) for j in np.flatnonzero(distances <= DISTANCE)]
    return pairs


def main() -> None:
    """Measure both at each size."""
    arguments(__doc__)
    rows, agree = [], True
    for n in SIZES:
        hashes = synthetic(n)
        start = time.perf_counter()
        found = near_pairs(hashes, DISTANCE)
        ours = time.perf_counter() - start
        compared = n if n <= MAX_COMPARED else SAMPLE
        start = time.perf_counter()
        expected = compare_all(hashes, compared)
        # Row i is compared with the n - i rows after it.
        share = compared * (2 * n - compared) / n**2
        brute_force = (time.perf_counter() - start) / share
        agree &= [tuple(pair) for pair in found[found[:, 0] < compared].tolist()] == expected
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        rows.append(
            {
                "hashes": f"{n:,}",
                "pairs": f"{len(found):,}",
                "banding, s": ours,
                "brute force, s": brute_force,
                "measured": "all rows" if compared == n else f"{SAMPLE} rows",
                "ratio": brute_force / ours,
                "peak GB": peak,
            }
        )
        print(f"{n:,} hashes: {ours:.2f} s", flush=True)
    print()
    table(rows)
    print()
    conclude(
        "near_duplicates",
        ours=ours,
        baseline=brute_force,
        unit="seconds for 1,000,000 hashes",
        claim="the same pairs as brute force, and 1,000,000 hashes in at most 60 s",
        holds=bool(agree and ours <= 60),
        peak_gigabytes=round(peak, 2),
    )


if __name__ == "__main__":
    main()
