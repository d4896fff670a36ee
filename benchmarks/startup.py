"""Import time of the asset definitions, which every step process pays, relative to that of Dagster alone.

Each import runs in a fresh process of the same interpreter; the two alternate, and the medians are compared. All
modules are compiled to bytecode before, in a temporary folder, so that the result does not depend on how the packages
were installed. Claim: at most 2.2 times the import time of Dagster.

    python benchmarks/startup.py [--runs 9]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

from report import conclude, table

MAX_RATIO = 2.2
MIN_RUNS = 7
MODULES = ("dagster", "sneaker_assets.definitions")
PROGRAM = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def main() -> None:
    """Measure both imports and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help=f"runs of each, at least {MIN_RUNS}; default: %(default)s")
    options = parser.parse_args()
    if options.runs < MIN_RUNS:
        parser.error(f"--runs must be at least {MIN_RUNS}")
    seconds: dict[str, list[float]] = {module: [] for module in MODULES}
    with tempfile.TemporaryDirectory() as home:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SNEAKER_")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment |= {"DAGSTER_HOME": home, "SNEAKER_LAKE": home, "PYTHONPYCACHEPREFIX": home}
        for module in MODULES:
            # Compiles the bytecode and fills the page cache.
            import_seconds(module, environment)
        for _ in range(options.runs):
            for module in MODULES:
                seconds[module].append(import_seconds(module, environment))
    medians = {module: statistics.median(values) for module, values in seconds.items()}
    table(
        [
            {"import": module, "median, s": medians[module], "minimum, s": min(values), "maximum, s": max(values)}
            for module, values in seconds.items()
        ]
    )
    dagster, definitions = (medians[module] for module in MODULES)
    print(f"\nratio {definitions / dagster:.2f}\n")
    conclude(
        "startup",
        ours=round(definitions, 3),
        baseline=round(dagster, 3),
        unit="seconds per import, median",
        claim=f"at most {MAX_RATIO} times the import time of Dagster",
        holds=definitions <= MAX_RATIO * dagster,
        runs=options.runs,
    )


def import_seconds(module: str, environment: dict[str, str]) -> float:
    """Seconds to import a module in a fresh process, without the start of the interpreter."""
    command = [sys.executable, "-c", PROGRAM.format(module)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
