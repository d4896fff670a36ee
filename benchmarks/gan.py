"""DCGAN training: throughput compared with PyTorch's tutorial, and sample quality of the default and article recipes.

By default: images per second of our training step (default recipe, with bfloat16 and channels last where supported) and
of the training loop of PyTorch's DCGAN tutorial (float32, batches from an in-memory DataLoader), alternating, at the
same sizes. Claim: at least 1.5 times as many on a CPU, 3 times on a GPU.

With ``--quality``: KID, precision and recall of both recipes on the published images, for each price band and several
seeds, with the same steps and images, on features of efficientnet_lite0; runs in parallel processes of one thread each.
Claims: on both bands at most a quarter of the article's KID, a precision of at least 0.35, a recall of at least 0.15.

    python benchmarks/gan.py
    python benchmarks/gan.py --quality --archive FOLDER
"""

import sneaker_assets  # noqa: F401 - sets the wait policy of OpenMP, so it has to precede torch

# isort: split

import argparse
import hashlib
import itertools
import math
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pandas as pd
import torch
from report import command_line, conclude, table
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from upath import UPath

from sneaker_assets.gan.images import UInt8Array, load_square_images, to_network
from sneaker_assets.gan.quality import Embed, compare, embedding
from sneaker_assets.gan.run import run_name
from sneaker_assets.gan.sampling import image_grid, load_generator, sample
from sneaker_assets.gan.settings import GanSettings, Recipe, from_recipe
from sneaker_assets.gan.state import GanState
from sneaker_assets.gan.training import train_gan, train_step
from sneaker_assets.market.bands import price_bands
from sneaker_assets.market.outliers import iqr_fence
from sneaker_assets.torch_utils.device import choose_device, supports_bfloat16
from sneaker_assets.vision.backbones.backbone import load_backbone

SIZE, LATENT = 64, 100
MIN_RATIO_CPU, MIN_RATIO_GPU = 1.5, 3.0
COMPARED: tuple[Recipe, ...] = ("default", "article")
MAX_KID_RATIO, MIN_PRECISION, MIN_RECALL = 0.25, 0.35, 0.15
STEPS_ON_CPU = 4000
N_SAMPLES = 1000


def main() -> None:
    """Measure throughput or quality."""
    parser = command_line(__doc__)
    parser.add_argument("--quality", action="store_true", help="measure sample quality instead of throughput")
    parser.add_argument(
        "--width", type=int, help="channels of the narrowest layers; default: 64, but 16 for quality on a CPU"
    )
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3, help="rounds of the throughput measurement")
    parser.add_argument("--timed", type=int, default=6, help="steps timed per round")
    parser.add_argument(
        "--steps", type=int, help=f"of each quality run; default: 220 epochs on a GPU, else {STEPS_ON_CPU:,}"
    )
    parser.add_argument("--images", type=int, default=3000, help="images per band")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--scratch", type=Path, help="folder for the runs and their sample grids; interrupted runs resume"
    )
    options = parser.parse_args()
    if not options.quality:
        speed(options.width or 64, options.batch, options.repeats, options.timed)
    if not options.archive:
        print("--quality needs --archive")
        sys.exit(2)
    with nullcontext(options.scratch) if options.scratch else tempfile.TemporaryDirectory() as scratch:
        quality(options, Path(scratch))


def speed(width: int, batch: int, repeats: int, timed: int) -> None:
    """Time both training steps on the same random images."""
    device = choose_device("auto")
    images = torch.randint(0, 256, (8 * batch, SIZE, SIZE, 3), dtype=torch.uint8)
    sides = {"ours": ours(images, width, batch, device), "tutorial": tutorial(images, width, batch, device)}
    for step in sides.values():
        seconds_for(step, 2, device)
    best = dict.fromkeys(sides, 0.0)
    for _ in range(repeats):
        for side, step in sides.items():
            best[side] = max(best[side], batch * timed / seconds_for(step, timed, device))
    table([{"side": side, "images/s": rate} for side, rate in best.items()])
    ratio = MIN_RATIO_GPU if device.type == "cuda" else MIN_RATIO_CPU
    print()
    conclude(
        "gan",
        ours=best["ours"],
        baseline=best["tutorial"],
        unit="training images/s",
        claim=f"at least {ratio} times as many",
        holds=best["ours"] >= ratio * best["tutorial"],
        device=device.type,
        bfloat16=supports_bfloat16(device),
        width=width,
        batch=batch,
        threads=torch.get_num_threads(),
    )


def seconds_for(step: Callable[[], None], count: int, device: torch.device) -> float:
    """Seconds for ``count`` steps, with the device synchronised at the end."""
    start = time.perf_counter()
    for _ in range(count):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def ours(images: Tensor, width: int, batch: int, device: torch.device) -> Callable[[], None]:
    """Our training step, on the next batch of the images at each call."""
    state = GanState(from_recipe("default", generator_width=width, discriminator_width=width), device)
    cache = images.to(device)
    batches = itertools.cycle(torch.randperm(len(images)).split(batch))

    def step() -> None:
        train_step(state, to_network(cache[next(batches).to(device)]))

    return step


def tutorial(images: Tensor, width: int, batch: int, device: torch.device) -> Callable[[], None]:
    """Training step of PyTorch's tutorial: https://docs.pytorch.org/tutorials/beginner/dcgan_faces_tutorial."""
    generator, discriminator = tutorial_networks(width)
    generator.to(device)
    discriminator.to(device)
    criterion = nn.BCELoss()
    adam_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    adam_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    floats = images.permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()
    loader = DataLoader(TensorDataset(floats), batch_size=batch, shuffle=True)
    batches = itertools.chain.from_iterable(itertools.repeat(loader))

    def step() -> None:
        discriminator.zero_grad()
        real = next(batches)[0].to(device)
        label = torch.full((len(real),), 1.0, device=device)
        error_real = criterion(discriminator(real).view(-1), label)
        error_real.backward()
        fake = generator(torch.randn(len(real), LATENT, 1, 1, device=device))
        label.fill_(0.0)
        error_fake = criterion(discriminator(fake.detach()).view(-1), label)
        error_fake.backward()
        adam_d.step()
        generator.zero_grad()
        label.fill_(1.0)
        error = criterion(discriminator(fake).view(-1), label)
        error.backward()
        adam_g.step()
        # The tutorial records its losses as Python numbers at each step.
        (error_real + error_fake).item()
        error.item()

    return step


def tutorial_networks(width: int) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of the tutorial."""
    up: list[nn.Module] = []
    for ins, outs in itertools.pairwise([LATENT, 8 * width, 4 * width, 2 * width, width]):
        place = (1, 0) if ins == LATENT else (2, 1)
        up += [nn.ConvTranspose2d(ins, outs, 4, *place, bias=False), nn.BatchNorm2d(outs), nn.ReLU(inplace=True)]
    down: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    for ins, outs in itertools.pairwise([width, 2 * width, 4 * width, 8 * width]):
        down += [nn.Conv2d(ins, outs, 4, 2, 1, bias=False), nn.BatchNorm2d(outs), nn.LeakyReLU(0.2, inplace=True)]
    generator = nn.Sequential(*up, nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh())
    discriminator = nn.Sequential(*down, nn.Conv2d(8 * width, 1, 4, 1, 0, bias=False), nn.Sigmoid())
    return generator, discriminator


@dataclass(frozen=True)
class Run:
    """One training run of the comparison."""

    recipe: Recipe
    band: str
    images: Path
    config: GanSettings
    scratch: Path


def quality(options: argparse.Namespace, scratch: Path) -> None:
    """Train all recipes, bands and seeds, and compare; finished runs in ``scratch`` are reused."""
    scratch.mkdir(parents=True, exist_ok=True)
    bands, on_gpu = save_bands(options.archive, options.images, scratch), choose_device("auto").type == "cuda"
    for file in bands.values():
        save_features(file)
    steps_an_epoch = len(np.load(next(iter(bands.values())), mmap_mode="r")) // options.batch
    steps = options.steps or (220 * steps_an_epoch if on_gpu else STEPS_ON_CPU)
    epochs = math.ceil(steps / steps_an_epoch)
    width = options.width or (64 if on_gpu else 16)
    runs = [
        Run(recipe, band, file, settings(recipe, epochs, width, options.batch, seed), scratch)
        for seed in range(options.seeds)
        for band, file in bands.items()
        for recipe in COMPARED
    ]
    os.environ["OMP_NUM_THREADS"] = "1"
    rows = []
    with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for row in pool.map(train_and_evaluate, runs):
            print(row, flush=True)
            rows.append(row)
    print()
    table(rows)
    print()
    means = {band: {recipe: mean_scores(rows, band, recipe) for recipe in COMPARED} for band in bands}
    ours, articles = ([by_recipe[recipe] for by_recipe in means.values()] for recipe in COMPARED)
    conclude(
        "gan_quality",
        ours=mean(scores["KID"] for scores in ours),
        baseline=mean(scores["KID"] for scores in articles),
        unit="KID, mean over seeds and bands",
        claim=f"on each band at most {MAX_KID_RATIO} times the article's, precision at least {MIN_PRECISION}, "
        f"recall at least {MIN_RECALL}",
        holds=all(
            our["KID"] <= MAX_KID_RATIO * their["KID"]
            and our["precision"] >= MIN_PRECISION
            and our["recall"] >= MIN_RECALL
            for our, their in zip(ours, articles, strict=True)
        ),
        by_band=means,
        steps=rows[0]["steps"],
        width=width,
        batch=options.batch,
        features="efficientnet_lite0",
    )


def settings(recipe: Recipe, epochs: int, width: int, batch: int, seed: int) -> GanSettings:
    """Settings of a recipe with the length, widths and batch size common to all runs."""
    return from_recipe(
        recipe, epochs=epochs, batch_size=batch, generator_width=width, discriminator_width=width, seed=seed
    )


def mean_scores(rows: Sequence[Mapping[str, Any]], band: str, recipe: Recipe) -> dict[str, float]:
    """Mean of each score over the seeds."""
    of_recipe = [row for row in rows if (row["band"], row["recipe"]) == (band, recipe)]
    return {score: float(mean(row[score] for row in of_recipe)) for score in ("KID", "precision", "recall")}


def save_bands(archive: Path, max_images: int, folder: Path) -> dict[str, Path]:
    """Save the distinct images of each band below the outlier fence, the same number for each, as arrays."""
    rows = pd.read_csv(archive / "listings.csv").rename(columns={"sale_price": "price"})
    rows["path"] = [archive / "images" / name for name in rows["image_name"]]
    rows = rows[rows["path"].map(Path.exists) & (rows["price"] <= iqr_fence(rows["price"]).upper)]
    rows["sha256"] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in rows["path"]]
    chosen = {band.name: band.select(rows).drop_duplicates("sha256") for band in price_bands((500.0,)).values()}
    count = min(max_images, *map(len, chosen.values()))
    files = {}
    for band, listed in chosen.items():
        images = load_square_images(listed.sort_values("sha256")["path"].head(count).tolist(), SIZE)
        files[band] = folder / f"{band}.npy"
        np.save(files[band], images)
    return files


def save_features(images: Path) -> None:
    """Save the features of a subset of a band's training images, with which the samples of all runs are compared."""
    band: UInt8Array = np.load(images)
    order = np.random.default_rng(0).permutation(len(band))[:N_SAMPLES]
    np.save(features_of(images), feature_extractor()(band[order]).numpy())


def features_of(images: Path) -> Path:
    """Path of the features of a file of images."""
    return images.with_name(f"{images.stem}-features.npy")


def feature_extractor() -> Embed:
    """Feature extractor with the ImageNet weights that are installed as a package."""
    return embedding(load_backbone("efficientnet_lite0", "imagenet"), choose_device("auto"))


def train_and_evaluate(run: Run) -> dict[str, Any]:
    """Train one generator and compare its samples with its training images."""
    torch.set_num_threads(1)
    images: UInt8Array = np.load(run.images)
    device = choose_device("auto")
    trained = train_gan(images, run.config, UPath(run.scratch / run_name(images, run.config)), device)
    samples = sample(load_generator(trained.generator), N_SAMPLES, seed=1, device=device)
    image_grid(samples[:64], columns=8).save(run.scratch / f"{run.band}-{run.recipe}-{run.config.seed}.png")
    real = torch.from_numpy(np.load(features_of(run.images)))
    quality = compare(real, feature_extractor()(samples))
    return {
        "band": run.band,
        "recipe": run.recipe,
        "seed": run.config.seed,
        "steps": int(trained.history["step"].iloc[-1]),
        "KID": quality.kid,
        "deviation": quality.kid_deviation,
        "precision": quality.precision,
        "recall": quality.recall,
        "seconds": float(trained.history["seconds"].sum()),
    }


if __name__ == "__main__":
    main()
