"""sneaker_assets: from shoe listings to prices, predictions and generated shoes.

The upper row (``definitions``, ``pipeline``, ``automation``, ``assets``, ``resources``) knows Dagster and is thin.
The domain below it (``sites``, ``crawl``, ``market``, ``vision``, ``gan``, ``figures``, ``demo_shop``) never imports
Dagster, so it can be used from a notebook or on a machine without it. ``lake`` and ``tables`` lie below everything:
where data is kept and what a table must look like.
"""

import os

# Must be set before torch is imported: idle OpenMP threads that spin slow down every other process on the machine.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
