"""Summary of a pass: the main results of every stage, and the figures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from sneaker_assets.assets.metadata import UNFINISHED
from sneaker_assets.cli.pipeline.running import Outcome

_NOTHING_NEW = {"new_products": 0, "new_images": 0, "trained_now": False, "epochs_trained_now": 0}
"""What the last materialization did, where this pass did nothing."""


def summary(outcomes: Sequence[Outcome]) -> Table:
    """A table with the main results of every stage."""
    table = Table(title="\nSummary", title_justify="left", title_style="bold", show_header=False, box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for outcome in outcomes:
        for line, words in _facts(outcome):
            table.add_row(line, words)
    for job, seconds in _seconds_per_job(outcomes).items():
        table.add_row(f"seconds {job}", f"{seconds:.1f}")
    return table


def _facts(outcome: Outcome) -> Iterator[tuple[str, str]]:
    for asset, (name, words) in _LINES.items():
        if asset in outcome.metadata:
            metadata = {**outcome.metadata[asset], **(_NOTHING_NEW if asset in outcome.up_to_date else {})}
            yield metadata.get("title") or f"{name} {outcome.stage.partition or ''}".strip(), words(metadata)


def _errors(rmse: Mapping[str, Mapping[str, float]]) -> str:
    return "; ".join(f"{split} ${by['model']:,.0f} (mean predictor ${by['mean']:,.0f})" for split, by in rmse.items())


def _best(metadata: Mapping[str, Any]) -> str:
    return f"best epoch {metadata['epoch']:.0f}" if "epoch" in metadata else f"best penalty {metadata['alpha']:.3g}"


def _expected(metadata: Mapping[str, Any]) -> str:
    retail = f" (retail ${metadata['retail_price']:,.0f})" if metadata["retail_price"] else ""
    return f"${metadata['predicted_price']:,.0f} expected{retail}"


def _combined(metadata: Mapping[str, Any]) -> str:
    if "validation_rmse" not in metadata:
        return "none: the best model alone is as good"
    return (
        f"{metadata['members']} of {metadata['candidates']} models, validation RMSE ${metadata['validation_rmse']:,.0f}"
    )


def _trained(metadata: Mapping[str, Any]) -> str:
    left = metadata.get(UNFINISHED)
    return (
        f"{metadata['images']:,} images, {metadata['epochs']} epochs, {metadata['epochs_trained_now']} trained now"
        + (f"; unfinished, {left}" if left else "")
    )


_LINES: dict[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = {
    "raw_scrapes": (
        "listings",
        lambda metadata: f"{metadata['products']:,} products, {metadata['new_products']:,} new",
    ),
    "price_observations": (
        "prices",
        lambda metadata: ", ".join(f"{kind} {n:,}" for kind, n in metadata["label_kinds"].items()),
    ),
    "scraped_images": (
        "images",
        lambda metadata: f"{metadata['images']:,}, {metadata['new_images']:,} new, {metadata['unusable']:,} unusable",
    ),
    "clean_listings": (
        "outliers",
        lambda metadata: (
            f"{metadata['outliers_removed']:,} above the fence of ${metadata['upper_fence']:,.2f} removed, "
            f"{metadata['without_price']:,} without a price left out"
        ),
    ),
    "splits": ("split sizes", lambda metadata: ", ".join(f"{split} {n:,}" for split, n in metadata["sizes"].items())),
    "image_features": (
        "features",
        lambda metadata: (
            f"{metadata['images']:,} images, {metadata['new_images']:,} new; weights: {metadata['weights']}"
        ),
    ),
    "price_model": (
        "model",
        lambda metadata: f"{'trained now' if metadata['trained_now'] else 'already there'}, {_best(metadata)}",
    ),
    "ensemble_price_model": ("ensemble", _combined),
    "evaluation_metrics": ("RMSE", lambda metadata: _errors(metadata["rmse"])),
    "model_leaderboard": ("champion", lambda metadata: str(metadata["champion"])),
    "gan_checkpoints": ("GAN", _trained),
    "conditional_gan_checkpoints": ("conditional GAN", _trained),
    "gan_evaluation": (
        "GAN quality",
        lambda metadata: f"KID {metadata['kid']:.3g} on features of weights: {metadata['weights']}",
    ),
    "release_predictions": ("release", _expected),
}
"""Asset to its line in the summary: the name, and a function from metadata to text."""


def _seconds_per_job(outcomes: Sequence[Outcome]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for outcome in outcomes:
        seconds[outcome.stage.job] = seconds.get(outcome.stage.job, 0.0) + outcome.seconds
    return {job: spent for job, spent in seconds.items() if spent}


def figure_paths(outcomes: Sequence[Outcome]) -> list[str]:
    """Paths of all figures."""
    entries = [entry for outcome in outcomes for metadata in outcome.metadata.values() for entry in metadata.items()]
    return [str(path) for name, path in entries if name.endswith("_file")]
