"""Run every benchmark beside this file; those on published data only where --archive and --weights are given.

python benchmarks/run_all.py [--archive FOLDER --weights FOLDER]
"""

import subprocess
import sys
from pathlib import Path

from report import arguments

ON_PUBLISHED_DATA = {"accuracy", "data_set", "finetune", "real_input"}
NO_BENCHMARK = {"published", "report", "run_all", "scrapy_side"}
OPTIONS_OF_ITS_OWN = {"crawler", "gpu"}
COULD_NOT_RUN = 2


def main() -> int:
    """Run them one after the other; 1 where a claim does not hold."""
    options = arguments(__doc__)
    given = [f"--{name}={folder}" for name, folder in vars(options).items() if folder]
    failed = []
    for script in sorted(Path(__file__).parent.glob("*.py")):
        if script.stem in NO_BENCHMARK:
            continue
        if script.stem in ON_PUBLISHED_DATA and not options.archive:
            print(f"== {script.stem}: left out, since it needs --archive", flush=True)
            continue
        print(f"== {script.stem}", flush=True)
        options_given = [] if script.stem in OPTIONS_OF_ITS_OWN else given
        status = subprocess.run([sys.executable, str(script), *options_given], check=False).returncode
        if status == COULD_NOT_RUN:
            print(f"{script.stem} could not run", flush=True)
        elif status:
            failed.append(script.stem)
    print("no claim that was tried failed" if not failed else f"not held: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
