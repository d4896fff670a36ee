"""Run the command with ``python -m sneaker_assets.cli.pipeline``."""

import sys

from sneaker_assets.cli.pipeline.command import main

sys.exit(main())
