"""Run all benchmarks; those on published data only if --archive and --weights are given.

python benchmarks/run_all.py [--archive FOLDER --weights FOLDER]
"""

import subprocess
import sys
from pathlib import Path

from report import arguments

NEEDS_ARCHIVE = {"accuracy", "data_set", "finetune", "real_input"}
NOT_A_BENCHMARK = {"published", "report", "run_all", "scrapy_side"}
OWN_OPTIONS = {"crawler", "gpu", "startup"}
COULD_NOT_RUN = 2


def main() -> int:
    """Run them one after the other; return 1 if a claim does not hold."""
    options = arguments(__doc__)
    given = [f"--{name}={folder}" for name, folder in vars(options).items() if folder]
    failed = []
    for script in sorted(Path(__file__).parent.glob("*.py")):
        if script.stem in NOT_A_BENCHMARK:
            continue
        if script.stem in NEEDS_ARCHIVE and not options.archive:
            print(f"== {script.stem}: skipped, needs --archive", flush=True)
            continue
        print(f"== {script.stem}", flush=True)
        options_given = [] if script.stem in OWN_OPTIONS else given
        status = subprocess.run([sys.executable, str(script), *options_given], check=False).returncode
        if status == COULD_NOT_RUN:
            print(f"{script.stem} was not run", flush=True)
        elif status:
            failed.append(script.stem)
    print(f"claims that do not hold: {', '.join(failed)}" if failed else "all tested claims hold")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
