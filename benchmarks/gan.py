"""Our DCGAN training beside PyTorch's example loop, and the default recipe beside the article's.

Without options: images a second of our training step (default recipe, bfloat16 and channels last where the processor
has it) and of the loop of PyTorch's DCGAN tutorial (float32, batches from a DataLoader in memory), taking turns, at the
same sizes. Asked for: at least 1.5 times as many on a CPU, 3 times on a GPU.

With ``--quality``: KID of both recipes on the published pictures, each band, several seeds, at equal steps and equal
images; runs go side by side in two processes of one thread. Asked for: on both bands at most half the article's.

    python benchmarks/gan.py
    python benchmarks/gan.py --quality --archive FOLDER --weights FOLDER
"""

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
from report import conclude, table
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from upath import UPath

from sneaker_assets.gan.images import UInt8Array, load_square_images, to_network
from sneaker_assets.gan.quality import Embed, embedding, kernel_distance
from sneaker_assets.gan.run import run_name
from sneaker_assets.gan.sampling import image_grid, load_generator, sample
from sneaker_assets.gan.settings import RECIPE_NAMES, GanSettings, Recipe, from_recipe
from sneaker_assets.gan.state import GanState, fast_in_bfloat16
from sneaker_assets.gan.training import train_gan, train_step
from sneaker_assets.market.bands import price_bands
from sneaker_assets.market.outliers import iqr_fence
from sneaker_assets.torch_utils.device import choose_device
from sneaker_assets.vision.backbones.backbone import load_backbone

SIZE, LATENT = 64, 100
FASTER_ON_CPU, FASTER_ON_GPU = 1.5, 3.0
MOST_KID = 0.5
EPOCHS_ON_CPU = 20
JUDGED = 1000


def main() -> None:
    """Measure the one or the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", action="store_true", help="compare the recipes instead of the speed")
    parser.add_argument("--archive", type=Path, help="folder with listings.csv and images/")
    parser.add_argument("--weights", type=Path, help="folder of weight files, named after their backbone")
    parser.add_argument(
        "--width", type=int, help="channels of the narrowest layers; default: 64, for quality on a CPU 16"
    )
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3, help="of the speed")
    parser.add_argument("--timed", type=int, default=6, help="steps timed in each repeat")
    parser.add_argument("--steps", type=int, help="of each run of the quality; default: 220 epochs on a GPU, else 20")
    parser.add_argument("--images", type=int, default=3000, help="of each band")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--scratch", type=Path, help="folder to keep the runs and their grids in; a killed one goes on")
    options = parser.parse_args()
    if not options.quality:
        speed(options.width or 64, options.batch, options.repeats, options.timed)
    if not options.archive or not options.weights:
        print("--quality needs --archive FOLDER and --weights FOLDER with a file for mobilenet_v2")
        sys.exit(2)
    with nullcontext(options.scratch) if options.scratch else tempfile.TemporaryDirectory() as scratch:
        quality(options, Path(scratch))


def speed(width: int, batch: int, repeats: int, timed: int) -> None:
    """Time both training steps on the same images."""
    device = choose_device("auto")
    images = torch.randint(0, 256, (8 * batch, SIZE, SIZE, 3), dtype=torch.uint8)
    sides = {"ours": ours(images, width, batch, device), "example": example(images, width, batch, device)}
    for step in sides.values():
        seconds_for(step, 2, device)
    best = dict.fromkeys(sides, 0.0)
    for _ in range(repeats):
        for side, step in sides.items():
            best[side] = max(best[side], batch * timed / seconds_for(step, timed, device))
    table([{"side": side, "images/s": rate} for side, rate in best.items()])
    asked = FASTER_ON_GPU if device.type == "cuda" else FASTER_ON_CPU
    print()
    conclude(
        "gan",
        ours=best["ours"],
        theirs=best["example"],
        unit="images/s trained on",
        asked=f"at least {asked} times as many",
        holds=best["ours"] >= asked * best["example"],
        device=device.type,
        bfloat16=fast_in_bfloat16(device),
        width=width,
        batch=batch,
        threads=torch.get_num_threads(),
    )


def seconds_for(step: Callable[[], None], count: int, device: torch.device) -> float:
    """Seconds that so many steps take, until the device is done."""
    begun = time.perf_counter()
    for _ in range(count):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def ours(images: Tensor, width: int, batch: int, device: torch.device) -> Callable[[], None]:
    """One step of ours on the next batch."""
    state = GanState(from_recipe("default", generator_width=width, discriminator_width=width), device)
    cache = images.to(device)
    batches = itertools.cycle(torch.randperm(len(images)).split(batch))

    def step() -> None:
        train_step(state, to_network(cache[next(batches).to(device)]))

    return step


def example(images: Tensor, width: int, batch: int, device: torch.device) -> Callable[[], None]:
    """One step of PyTorch's tutorial, written after it: https://docs.pytorch.org/tutorials/beginner/dcgan_faces_tutorial."""
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
        # The tutorial keeps its losses as numbers, at each step.
        (error_real + error_fake).item()
        error.item()

    return step


def tutorial_networks(width: int) -> tuple[nn.Module, nn.Module]:
    """The tutorial's generator and discriminator."""
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
    """One training to compare: its settings, its images, and where it goes on."""

    recipe: Recipe
    band: str
    images: Path
    config: GanSettings
    weights: Path
    scratch: Path


def quality(options: argparse.Namespace, scratch: Path) -> None:
    """Train every recipe, band and seed, and compare; what already lies in ``scratch`` is not trained again."""
    scratch.mkdir(parents=True, exist_ok=True)
    bands, on_gpu = save_bands(options.archive, options.images, scratch), choose_device("auto").type == "cuda"
    for file in bands.values():
        save_features(file, options.weights)
    steps_an_epoch = len(np.load(next(iter(bands.values())), mmap_mode="r")) // options.batch
    epochs = math.ceil(options.steps / steps_an_epoch) if options.steps else 220 if on_gpu else EPOCHS_ON_CPU
    width = options.width or (64 if on_gpu else 16)
    runs = [
        Run(recipe, band, file, settings(recipe, epochs, width, options.batch, seed), options.weights, scratch)
        for seed in range(options.seeds)
        for band, file in bands.items()
        for recipe in RECIPE_NAMES
    ]
    # A thread each, and none that spins while it waits.
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    rows = []
    with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for row in pool.map(train_and_judge, runs):
            print(row, flush=True)
            rows.append(row)
    print()
    table(rows)
    print()
    by_band = {band: {recipe: mean_kid(rows, band, recipe) for recipe in RECIPE_NAMES} for band in bands}
    conclude(
        "gan_quality",
        ours=mean(kids["default"] for kids in by_band.values()),
        theirs=mean(kids["article"] for kids in by_band.values()),
        unit="KID, mean over seeds and bands",
        asked=f"on each band at most {MOST_KID} of the article's",
        holds=all(kids["default"] <= MOST_KID * kids["article"] for kids in by_band.values()),
        by_band=by_band,
        steps=rows[0]["steps"],
        width=width,
        batch=options.batch,
        features="mobilenet_v2, weights of the given folder",
    )


def settings(recipe: Recipe, epochs: int, width: int, batch: int, seed: int) -> GanSettings:
    """A recipe at the same length, widths and batch as the other."""
    return from_recipe(
        recipe, epochs=epochs, batch_size=batch, generator_width=width, discriminator_width=width, seed=seed
    )


def mean_kid(rows: Sequence[Mapping[str, Any]], band: str, recipe: Recipe) -> float:
    """Over the seeds."""
    return float(mean(row["KID"] for row in rows if (row["band"], row["recipe"]) == (band, recipe)))


def save_bands(archive: Path, most: int, folder: Path) -> dict[str, Path]:
    """The distinct pictures of each band below the fence, equally many of each, decoded once into a file."""
    rows = pd.read_csv(archive / "listings.csv").rename(columns={"sale_price": "price"})
    rows["path"] = [archive / "images" / name for name in rows["image_name"]]
    rows = rows[rows["path"].map(Path.exists) & (rows["price"] <= iqr_fence(rows["price"]).upper)]
    rows["sha256"] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in rows["path"]]
    chosen = {band.name: band.select(rows).drop_duplicates("sha256") for band in price_bands((500.0,)).values()}
    count = min(most, *map(len, chosen.values()))
    files = {}
    for band, listed in chosen.items():
        images = load_square_images(listed.sort_values("sha256")["path"].head(count).tolist(), SIZE)
        files[band] = folder / f"{band}.npy"
        np.save(files[band], images)
    return files


def save_features(images: Path, weights: Path) -> None:
    """What samples are compared with: features of some of a band's training images, computed once for all runs."""
    band: UInt8Array = np.load(images)
    order = np.random.default_rng(0).permutation(len(band))[:JUDGED]
    np.save(features_of(images), judging(weights)(band[order]).numpy())


def features_of(images: Path) -> Path:
    """Where the features of a file of images lie."""
    return images.with_name(f"{images.stem}-features.npy")


def judging(weights: Path) -> Embed:
    """Images to the features that they are judged on."""
    return embedding(load_backbone("mobilenet_v2", "auto", weights), choose_device("auto"))


def train_and_judge(run: Run) -> dict[str, Any]:
    """Train one generator as the project does, and measure how far its samples are from the training images."""
    torch.set_num_threads(1)
    images: UInt8Array = np.load(run.images)
    device = choose_device("auto")
    trained = train_gan(images, run.config, UPath(run.scratch / run_name(images, run.config)), device)
    samples = sample(load_generator(trained.generator), JUDGED, seed=1, device=device)
    image_grid(samples[:64], columns=8).save(run.scratch / f"{run.band}-{run.recipe}-{run.config.seed}.png")
    real = torch.from_numpy(np.load(features_of(run.images)))
    kid, deviation = kernel_distance(real, judging(run.weights)(samples))
    return {
        "band": run.band,
        "recipe": run.recipe,
        "seed": run.config.seed,
        "steps": int(trained.history["step"].iloc[-1]),
        "KID": kid,
        "deviation": deviation,
        "seconds": float(trained.history["seconds"].sum()),
    }


if __name__ == "__main__":
    main()
