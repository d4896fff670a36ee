"""One rank of a fine-tuning that several processes share: what ``python -m torch.distributed.run`` starts.

    python -m torch.distributed.run --nproc-per-node 2 -m sneaker_assets.assets.finetune_worker JOB.json

The job is ``finetuned.FinetuneJob``. What was trained is in its checkpoints, from which it also goes on. Run from a
Dagster asset, the first rank reports through Dagster Pipes.

Dagster Pipes: https://docs.dagster.io/guides/build/external-pipelines
"""

import logging
import os
import sys
from contextlib import nullcontext
from pathlib import Path

from dagster_pipes import PipesContext, open_dagster_pipes
from upath import UPath

from sneaker_assets.torch_utils.distributed import RankError, joined
from sneaker_assets.vision.errors import TrainingError
from sneaker_assets.vision.finetuning.model import FinetuneJob


def main(path: Path) -> None:
    """Train to the end together with the other ranks."""
    import torch

    job = FinetuneJob.read(path)
    with joined(torch.device(job.device), job.patience) as ranks:
        training, name = job.create_finetuner(ranks)
        with open_dagster_pipes() if ranks.first and "DAGSTER_PIPES_CONTEXT" in os.environ else nullcontext() as pipes:
            done = training.run(UPath(job.checkpoints) / name, name)
            if isinstance(pipes, PipesContext):
                rmse = float(done.history["validation_mse"].min()) ** 0.5
                pipes.log.info("%d ranks, %d epochs, validation RMSE $%.0f", ranks.size, len(done.history), rmse)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        main(Path(sys.argv[1]))
    except (RankError, TrainingError) as error:
        sys.exit(str(error))
