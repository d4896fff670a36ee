"""``sneaker-price``: predicted resale prices of the shoes in photos, with the champion of a lake; runs without Dagster.

Slow modules are imported where they are used, so that mistakes in the command line are reported at once.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sneaker_assets.cli import BAD_INPUT, Parser
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.errors import SneakerError, one_line
from sneaker_assets.market.fees import Fees, FeesError, parse_fees
from sneaker_assets.settings.environment import load_settings

if TYPE_CHECKING:
    from sneaker_assets.lake import Lake
    from sneaker_assets.vision.pricing.member_features import FramedPixels
    from sneaker_assets.vision.pricing.pricer import PricedPicture, Pricer

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif")
"""Files of a folder that are priced."""

MAX_DRAWN = 20
"""Shoes in one figure."""

QUICK = FetchSettings(delay=0.0, attempts=2, hold_cap=10.0, timeout=10.0, deadline=30.0)
"""Fetch settings with shorter waits than a crawl's, since a user is waiting for the answer."""


class InputError(SneakerError, ValueError):
    """A picture or option cannot be used; the message says why in one line."""


@dataclass(frozen=True)
class Answer:
    """A priced picture.

    Attributes:
        name: Path or address of the picture.
        priced: Its predicted price.
        pixels: The picture in each of the model's frames, uint8 [height, width, 3], RGB.
        retail: Retail price in US dollars; None where it is unknown.
        fees: Fees of selling the shoe.
    """

    name: str
    priced: "PricedPicture"
    pixels: "FramedPixels"
    retail: float | None
    fees: Fees


def main(arguments: Sequence[str] | None = None, settings: FetchSettings = QUICK) -> int:
    """Run the command.

    Args:
        arguments: The command line's arguments; by default the process's own.
        settings: How addresses are fetched; SNEAKER_CONTACT replaces their contact.

    Returns:
        The exit status: 0, or 2 where any picture cannot be priced.
    """
    options = parse(arguments)
    try:
        contact = load_settings().contact or settings.contact
        return run(options, settings.with_changes(contact=contact))
    except BrokenPipeError:  # the reader of the output has closed it, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (SneakerError, LookupError, ValueError, RuntimeError, OSError) as error:
        print_error(error)
        return BAD_INPUT


def run(options: argparse.Namespace, settings: FetchSettings) -> int:
    """Price the pictures one by one and print each result.

    Args:
        options: The parsed command line.
        settings: How addresses are fetched.

    Returns:
        The exit status: 0, or 2 where any picture cannot be priced.
    """
    fees = options.fees or fees_of(options.site)
    pictures = [picture for named in options.picture for picture in find_pictures(named)]
    lake, pricer = open_champion()
    drawn: list[Answer] = []
    failed = 0
    for picture in pictures:
        try:
            pixels, priced = price_picture(picture, pricer, settings)
        except InputError as error:
            print_error(error)
            failed += 1
            continue
        answer = Answer(picture, priced, pixels, options.retail, fees)
        print(json.dumps(as_record(answer, pricer)) if options.json else as_text(answer, pricer), flush=True)
        if options.figure and len(drawn) < MAX_DRAWN:
            drawn.append(answer)
    if drawn:
        draw(options.figure, drawn, pricer, lake)
    return BAD_INPUT if failed else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; exits with status 2 where it is wrong."""
    parser = Parser(
        prog="sneaker-price",
        description="Predict the resale price of the shoes in photos with the champion of a lake. Uses SNEAKER_LAKE "
        "(default: data_lake/), SNEAKER_WEIGHTS and, to fetch addresses, SNEAKER_CONTACT.",
    )
    parser.add_argument("picture", nargs="+", help="a photo, its address (http or https), or a folder of photos")
    parser.add_argument("--retail", type=_dollars, help="retail price in US dollars, for premium and profit")
    parser.add_argument("--site", default="stockx", help="site whose selling fees apply; default: stockx")
    parser.add_argument(
        "--fees",
        type=_fees,
        metavar="COMMISSION,PAYMENT,SHIPPING",
        help="other fees: shares of the price and US dollars, such as 0.09,0.03,4; SNEAKER_FEES sets them per site",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per line and photo")
    figure = f"write a figure of the first {MAX_DRAWN} shoes, with heat maps"
    parser.add_argument("--figure", type=_png, metavar="FILE.png", help=figure)
    return parser.parse_args(arguments)


def _dollars(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not 0 < amount < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a price: give US dollars above 0")
    return amount


def _fees(text: str) -> Fees:
    try:
        return parse_fees(text)
    except FeesError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def fees_of(site: str) -> Fees:
    """The fees of selling at a site.

    Raises:
        InputError: The site's fees are unknown.
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
        raise argparse.ArgumentTypeError(f"{text} cannot be drawn: name a .png file in an existing folder")
    return path


def is_address(picture: str) -> bool:
    """Whether a picture is named by a web address."""
    return picture.lower().startswith(("http://", "https://"))


def find_pictures(named: str) -> Iterator[str]:
    """The pictures that an argument names: an address, a file, or all photos in a folder, sorted by name.

    Raises:
        InputError: There are none.
    """
    path = Path(named)
    if is_address(named) or path.is_file():
        yield named
        return
    if not path.is_dir():
        raise InputError(f"{named} does not exist: name a photo, a folder of photos or an address")
    photos = [str(file) for file in sorted(path.iterdir()) if file.suffix.lower() in SUFFIXES and file.is_file()]
    if not photos:
        raise InputError(f"{named} contains no photo: files that end in {', '.join(SUFFIXES)} are priced")
    yield from photos


def open_champion() -> tuple["Lake", "Pricer"]:
    """The lake that the environment names, and its champion.

    Returns:
        The lake, and the champion with its backbone.

    Raises:
        SneakerError: The lake has no champion, or the champion cannot be loaded.
    """
    from sneaker_assets.lake import Lake
    from sneaker_assets.vision.pricing.pricer import load_champion

    settings = load_settings()
    lake = Lake.at(settings.lake)
    return lake, load_champion(lake, weights_folder=settings.weights, device=settings.device)


def price_picture(picture: str, pricer: "Pricer", settings: FetchSettings) -> tuple["FramedPixels", "PricedPicture"]:
    """Read or fetch a picture and price it.

    Args:
        picture: Path or address.
        pricer: The champion.
        settings: How an address is fetched.

    Returns:
        The picture in each of the model's frames, uint8 [height, width, 3], and its price.

    Raises:
        InputError: The picture cannot be fetched, decoded or priced; the message names it.
    """
    from sneaker_assets.vision.imaging.decoding import UnreadableImageError

    try:
        pixels = pricer.read(_fetched(picture, settings) if is_address(picture) else picture)
    except UnreadableImageError as error:
        raise InputError(f"{picture} {error}") from error
    (priced,) = pricer.price_pixels(*(framed[None] for framed in pixels))
    if not priced.is_plausible:
        raise InputError(f"{picture} is too unlike the training images to be priced: use a photo of a single shoe")
    return pixels, priced


def _fetched(url: str, settings: FetchSettings) -> bytes:
    from sneaker_assets.crawl.errors import CrawlStopped, FetchError
    from sneaker_assets.crawl.one_image import fetch_image

    try:
        return fetch_image(url, settings)
    except (FetchError, CrawlStopped, ValueError) as error:
        raise InputError(str(error)) from error


def as_text(answer: Answer, pricer: "Pricer") -> str:
    """The result as text of several lines.

    Args:
        answer: The priced picture.
        pricer: The champion.
    """
    from sneaker_assets.vision.explain.report import report_lines, similar_records

    lines = [answer.name, *report_lines(answer.priced, answer.retail, answer.fees)]
    for shoe in similar_records(answer.priced):
        kind = shoe["label_kind"].replace("_", " ")
        lines.append(f"like {shoe['title']}: ${shoe['price']:,.0f} ({kind}, {shoe['site']}; {shoe['similarity']:.2f})")
    if not len(answer.priced.similar):
        lines.append("this model has no similarity index: materialize similarity_index")
    lines.append(f"by {pricer.model.backbone}, weights: {pricer.model.weights}")
    return "\n  ".join(lines)


def as_record(answer: Answer, pricer: "Pricer") -> dict[str, Any]:
    """The result as a JSON object.

    Args:
        answer: The priced picture.
        pricer: The champion.

    Returns:
        ``picture``, ``retail_price`` (US dollars or None), the columns of the prediction as in
        ``tables.ReleasePredictions``, ``similar`` (list of objects), ``backbone``, ``weights`` and ``model``.
    """
    from sneaker_assets.vision.explain.report import prediction_record, similar_records

    return {
        "picture": answer.name,
        "retail_price": answer.retail,
        **prediction_record(answer.priced, answer.retail, answer.fees),
        "similar": similar_records(answer.priced),
        "backbone": pricer.model.backbone,
        "weights": str(pricer.model.weights),
        "model": pricer.model.folder.name,
    }


def draw(file: Path, answers: Iterable[Answer], pricer: "Pricer", lake: "Lake") -> None:
    """Write a figure with one row per shoe: picture, heat map, price and similar shoes.

    Args:
        file: Path of the PNG.
        answers: The priced pictures.
        pricer: The champion.
        lake: The lake that holds the images of similar shoes.
    """
    from upath import UPath

    from sneaker_assets import figures
    from sneaker_assets.lake import write_bytes
    from sneaker_assets.vision.explain.attribution import attribution_maps
    from sneaker_assets.vision.explain.report_figures import report_figure

    shoes = []
    for answer in answers:
        (heat,) = attribution_maps(pricer, tuple(framed[None] for framed in answer.pixels))
        title = answer.name if is_address(answer.name) else Path(answer.name).name
        shoes.append(
            report_figure(answer.priced, title, answer.pixels[0], heat, lake, retail=answer.retail, fees=answer.fees)
        )
    write_bytes(UPath(file), figures.to_png(figures.priced_shoes(shoes)))


def print_error(error: Exception) -> None:
    """Print an error as one line on stderr."""
    print(f"sneaker-price: {one_line(error)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
