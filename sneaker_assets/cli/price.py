"""The price of one shoe: ``sneaker-price`` prices photos, addresses and folders of photos with the lake's champion.

It needs a lake with a champion and nothing else: Dagster need not run and is not even loaded. What is slow to import is
imported when it is needed, so that a mistake is answered at once.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sneaker_assets.cli import BAD_INPUT, Parser
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.errors import SneakerError
from sneaker_assets.market.fees import Fees, FeesError, parse_fees
from sneaker_assets.settings import load_settings

if TYPE_CHECKING:
    from sneaker_assets.lake import Lake
    from sneaker_assets.vision.imaging.decoding import Pixels
    from sneaker_assets.vision.pricing.pricer import PricedPicture, Pricer

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
"""What counts as a photo in a folder."""

MOST_DRAWN = 20
"""Shoes on one figure."""

QUICK = FetchSettings(delay=0.0, attempts=2, hold_cap=10.0, timeout=10.0, deadline=30.0)
"""How an address is fetched: whoever waits for an answer does not wait as long as a crawl may."""


class InputError(SneakerError, ValueError):
    """What was named cannot be priced; the message is one line that says why."""


@dataclass(frozen=True)
class Answer:
    """A priced picture: its name, its price, what the model saw of it, and what was said of selling it."""

    name: str
    priced: "PricedPicture"
    pixels: "Pixels"
    retail: float | None
    fees: Fees


def main(arguments: Sequence[str] | None = None, settings: FetchSettings = QUICK) -> int:
    """Price what the command line names; the exit status is 2 where any of it cannot be priced.

    Args:
        arguments: The command line's, by default the process's own.
        settings: How an address is fetched; its contact is that of SNEAKER_CONTACT.
    """
    options = parse(arguments)
    answers: list[Answer] = []
    failed: list[str] = []
    try:
        settings = settings.with_changes(contact=load_settings().contact or settings.contact)
        fees = options.fees or fees_of(options.site)
        pictures = [picture for named in options.picture for picture in find_pictures(named)]
        lake, pricer = load_champion()
        for picture, pixels, priced in price_all(pictures, pricer, settings, failed):
            answer = Answer(picture, priced, pixels, options.retail, fees)
            print(json.dumps(as_record(answer, pricer)) if options.json else as_text(answer, pricer), flush=True)
            if options.figure and len(answers) < MOST_DRAWN:
                answers.append(answer)
        if answers:
            draw(options.figure, answers, pricer, lake)
    except BrokenPipeError:  # whoever reads the answers has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (LookupError, ValueError, RuntimeError, OSError) as error:
        complain(error)
        return BAD_INPUT
    return BAD_INPUT if failed else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = Parser(
        prog="sneaker-price",
        description="What a shoe will resell for, by its picture. The lake is SNEAKER_LAKE's (default data_lake/), the "
        "backbone's weights are SNEAKER_WEIGHTS', and an address is fetched in the name of SNEAKER_CONTACT.",
    )
    parser.add_argument("picture", nargs="+", help="a photo, its address (http or https), or a folder of photos")
    parser.add_argument("--retail", type=_dollars, help="retail price in US dollars, for premium and profit")
    parser.add_argument("--site", default="stockx", help="where it would be sold, for its fees; default: stockx")
    parser.add_argument(
        "--fees",
        type=_fees,
        metavar="COMMISSION,PAYMENT,SHIPPING",
        help="other fees: shares of the price and US dollars, such as 0.09,0.03,4; SNEAKER_FEES keeps them by site",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line, one line a picture")
    parser.add_argument("--figure", type=_png, metavar="FILE.png", help=f"draw them, at most {MOST_DRAWN}")
    return parser.parse_args(arguments)


def _dollars(text: str) -> float:
    amount = float(text)
    if not 0 < amount < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no price: name US dollars above 0")
    return amount


def _fees(text: str) -> Fees:
    try:
        return parse_fees(text)
    except FeesError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def fees_of(site: str) -> Fees:
    """What selling costs there.

    Raises:
        InputError: that is not known.
    """
    known = load_settings().fees
    if site not in known:
        raise InputError(
            f"the fees of {site} are not known, only those of {', '.join(known)}: set SNEAKER_FEES or --fees"
        )
    return known[site]


def _png(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() != ".png" or not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text} cannot be drawn: name a .png file in a folder that is there")
    return path


def is_address(picture: str) -> bool:
    """Whether a picture is to be fetched."""
    return picture.lower().startswith(("http://", "https://"))


def find_pictures(named: str) -> Iterator[str]:
    """The pictures that are meant: an address or a file itself, of a folder all its photos by name.

    Raises:
        InputError: there is none.
    """
    path = Path(named)
    if is_address(named) or path.is_file():
        yield named
        return
    if not path.is_dir():
        raise InputError(f"{named} is not there: name a photo, a folder of photos or an address")
    photos = [str(file) for file in sorted(path.iterdir()) if file.suffix.lower() in SUFFIXES and file.is_file()]
    if not photos:
        raise InputError(f"{named} holds no photo: files that end in {', '.join(SUFFIXES)} are priced")
    yield from photos


def load_champion() -> tuple["Lake", "Pricer"]:
    """The lake and its champion, ready; raises what :mod:`vision.pricing` does."""
    from sneaker_assets.lake import Lake

    settings = load_settings()
    lake = Lake.at(settings.lake)
    from sneaker_assets.torch_utils.device import choose_device
    from sneaker_assets.vision.pricing.pricer import Pricer, champion_folder, champion_index

    device = choose_device(settings.device)
    return lake, Pricer.load(champion_folder(lake), settings.weights, device, champion_index(lake))


def read_picture(picture: str, pricer: "Pricer", settings: FetchSettings) -> "Pixels":
    """A picture in the model's frame, uint8 [height, width, 3].

    Raises:
        InputError: it cannot be had or is no picture; the message names it.
    """
    from sneaker_assets.vision.imaging.decoding import UnreadableImageError
    from sneaker_assets.vision.imaging.photos import read_photo

    try:
        return read_photo(_fetched(picture, settings) if is_address(picture) else Path(picture), pricer.frame)
    except UnreadableImageError as error:
        raise InputError(f"{picture} {error}") from error


def price_all(
    pictures: Iterable[str], pricer: "Pricer", settings: FetchSettings, failed: list[str]
) -> Iterator[tuple[str, "Pixels", "PricedPicture"]]:
    """Each picture's name, pixels and price, one by one; what cannot be priced is told and goes to ``failed``."""
    read: list[tuple[str, Pixels]] = []

    def readable() -> Iterator["Pixels"]:
        for picture in pictures:
            try:
                read.append((picture, read_picture(picture, pricer, settings)))
            except InputError as error:
                complain(error)
                failed.append(picture)
            else:
                yield read[-1][1][None]

    for (priced,) in pricer.price_all(readable()):
        picture, pixels = read.pop()
        if priced.makes_sense:
            yield picture, pixels, priced
        else:
            complain(InputError(f"{picture} is unlike all that the model has learned from: it has no price for it"))
            failed.append(picture)


def _fetched(url: str, settings: FetchSettings) -> bytes:
    from sneaker_assets.crawl.errors import CrawlStopped, FetchError
    from sneaker_assets.crawl.one_image import fetch_image

    try:
        return fetch_image(url, settings)
    except (FetchError, CrawlStopped, ValueError) as error:
        raise InputError(str(error)) from error


def as_text(answer: Answer, pricer: "Pricer") -> str:
    """What a person reads."""
    from sneaker_assets.vision.explain.report import report_lines, similar_records

    lines = [answer.name, *report_lines(answer.priced, answer.retail, answer.fees)]
    for shoe in similar_records(answer.priced):
        kind = shoe["label_kind"].replace("_", " ")
        lines.append(f"like {shoe['title']}: ${shoe['price']:,.0f} ({kind}, {shoe['site']}; {shoe['similarity']:.2f})")
    if not len(answer.priced.similar):
        lines.append(
            "similar shoes are missing, since this model has no similarity index: materialize similarity_index"
        )
    lines.append(f"by {pricer.model.backbone}, weights: {pricer.model.weights}")
    return "\n  ".join(lines)


def as_record(answer: Answer, pricer: "Pricer") -> dict[str, Any]:
    """What a program reads; prices in US dollars, in the names of ``tables.ReleasePredictions``."""
    from sneaker_assets.vision.explain.report import prediction_record, similar_records

    return {
        "picture": answer.name,
        "retail_price": answer.retail,
        **prediction_record(answer.priced, answer.retail, answer.fees),
        "similar": similar_records(answer.priced),
        "backbone": pricer.model.backbone,
        "weights": pricer.model.weights,
        "model": pricer.model.folder.name,
    }


def draw(file: Path, answers: Iterable[Answer], pricer: "Pricer", lake: "Lake") -> None:
    """Draw the shoes, one below the other."""
    from upath import UPath

    from sneaker_assets import figures
    from sneaker_assets.lake import write_bytes
    from sneaker_assets.vision.explain.attribution import attribution_maps
    from sneaker_assets.vision.explain.report_figures import report_figure

    shoes = []
    for answer in answers:
        heat = attribution_maps(pricer.model, pricer.backbone, answer.pixels[None], pricer.device)[0]
        title = answer.name if is_address(answer.name) else Path(answer.name).name
        shoes.append(
            report_figure(answer.priced, title, answer.pixels, heat, lake, retail=answer.retail, fees=answer.fees)
        )
    write_bytes(UPath(file), figures.to_png(figures.priced_shoes(shoes)))


def complain(error: Exception) -> None:
    """One line on stderr."""
    print(f"sneaker-price: {' '.join(str(error).split())}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
