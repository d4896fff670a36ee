"""The command ``sneaker-price`` on real files and real addresses on loopback."""

import copy
import dataclasses
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from sneaker_assets.assets.releases import PredictionConfig, SellingCosts
from sneaker_assets.cli import price as cli
from sneaker_assets.crawl.settings import FetchSettings
from sneaker_assets.market.fees import Fees
from sneaker_assets_tests.champion import Champion
from sneaker_assets_tests.crawl.answers import endless, jpeg, reply
from sneaker_assets_tests.crawl.shop import Shop, open_shop

Run = Callable[..., tuple[int, str, str]]
LOOPBACK = FetchSettings(delay=0.0, attempts=1, timeout=2.0, deadline=2.0, max_image_bytes=100_000, allow_loopback=True)


@pytest.fixture
def run(champion: Champion, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command on the shared lake; gives exit status, stdout and stderr."""
    monkeypatch.setenv("SNEAKER_LAKE", str(champion.lake.root))
    monkeypatch.setenv("SNEAKER_DEVICE", "cpu")
    for name in ("SNEAKER_WEIGHTS", "SNEAKER_CONTACT", "SNEAKER_FEES"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str | Path, settings: FetchSettings = cli.QUICK) -> tuple[int, str, str]:
        status = cli.main([str(argument) for argument in arguments], settings)
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


def shade(path: Path, grey: int = 128, mode: str = "L") -> Path:
    """A uniform picture, which the champion prices by its brightness."""
    Image.new("L", (48, 24), grey).convert(mode).save(path)
    return path


def error_line(run: Run, *arguments: str | Path, settings: FetchSettings = cli.QUICK) -> str:
    """The one line with which the command refuses its input."""
    status, out, err = run(*arguments, settings=settings)
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("sneaker-price: ")
    return line


def test_a_photo_is_priced_as_text(run: Run, tmp_path: Path) -> None:
    status, out, err = run(shade(tmp_path / "shoe.png"), "--retail", "180")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == str(tmp_path / "shoe.png")
    assert lines[1].startswith("  expected price $")
    assert lines[2].startswith("  in 9 of 10 cases between $")
    assert "retail price $180, expected premium " in lines[3]
    assert lines[4].endswith(" of selling costs")
    assert len([line for line in lines if line.startswith("  like Shoe: $")]) == 5
    assert "weights: random (seed 0)" in lines[-1]


def test_photos_of_a_folder_are_priced_one_by_one_and_broken_ones_are_named(run: Run, tmp_path: Path) -> None:
    for name, grey in (("a.png", 60), ("b.png", 140), ("c.png", 220)):
        shade(tmp_path / name, grey)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "broken.jpg").write_bytes(jpeg()[:200])
    status, out, err = run(tmp_path, "--json")
    records: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert [Path(record["picture"]).name for record in records] == ["a.png", "b.png", "c.png"]
    prices = [record["predicted_price"] for record in records]
    assert prices == sorted(prices)
    assert prices[0] < 0.7 * prices[2]
    assert all(record["price_low"] < record["predicted_price"] < record["price_high"] for record in records)
    assert records[0]["premium"] is None
    assert len(records[0]["similar"]) == 5
    assert status == 2
    assert err.count("\n") == 1
    assert "broken.jpg does not decode" in err


def test_a_picture_that_the_model_predicts_no_price_for_is_refused(champion: Champion, tmp_path: Path) -> None:
    head = copy.deepcopy(champion.model.head)
    with torch.no_grad():
        head.get_submodule("body.0").get_parameter("bias").fill_(-1000.0)
    pricer = dataclasses.replace(champion.pricer, model=dataclasses.replace(champion.model, head=head))
    with pytest.raises(cli.InputError, match=r"shoe\.png is too unlike the training images to be priced"):
        cli.price_picture(str(shade(tmp_path / "shoe.png")), pricer, LOOPBACK)


@pytest.mark.slow
def test_a_closed_pipe_ends_the_command_without_an_error(champion: Champion, tmp_path: Path) -> None:
    shade(tmp_path / "a.png")
    command = [str(Path(sys.executable).with_name("sneaker-price")), str(tmp_path)]
    environment = os.environ | {"SNEAKER_LAKE": str(champion.lake.root), "SNEAKER_DEVICE": "cpu", "SNEAKER_WEIGHTS": ""}
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        result = subprocess.run(command, check=False, stdout=closed, stderr=subprocess.PIPE, env=environment)
    assert (result.returncode, result.stderr) == (0, b"")


def test_the_sites_fees_are_subtracted(run: Run, tmp_path: Path) -> None:
    _, out, _ = run(shade(tmp_path / "shoe.png"), "--retail", "100", "--site", "stockx", "--json")
    record = json.loads(out)
    price = record["predicted_price"]
    assert record["selling_costs"] == pytest.approx(0.12 * price + 4)
    assert record["net_profit"] == pytest.approx(0.88 * price - 104)
    assert record["premium"] == pytest.approx(price / 100 - 1)


def test_a_figure_is_written(run: Run, tmp_path: Path) -> None:
    figure = tmp_path / "shoe_drawn.png"
    assert run(shade(tmp_path / "shoe.png"), shade(tmp_path / "other.png", 90), "--figure", figure)[0] == 0
    with Image.open(figure) as drawn:
        assert drawn.format == "PNG"
        assert drawn.width > 1000
        assert drawn.height > 600


@pytest.mark.parametrize(
    ("setting", "options"),
    [
        ("", ["--fees", "0.2,0.05,10"]),
        ("stockx=0.2,0.05,10", []),
        ("stockx = 0.1,0,0; ebay = 0.2,0.05,10;", ["--site", "ebay"]),
        ("stockx=0.1,0,0", ["--fees", "0.2, 0.05, 10"]),
    ],
)
def test_fees_come_from_the_environment_or_the_command_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, options: list[str]
) -> None:
    monkeypatch.setenv("SNEAKER_FEES", setting)
    record = json.loads(run(shade(tmp_path / "shoe.png"), "--retail", "100", "--json", *options)[1])
    assert record["selling_costs"] == pytest.approx(0.25 * record["predicted_price"] + 10)


def test_the_asset_uses_the_same_fees_unless_its_config_names_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNEAKER_FEES", "ebay=0.1,0,9")
    own = PredictionConfig(selling_costs={"stockx": SellingCosts(commission=0.2, payment=0.05, shipping=10)})
    assert own.fees("stockx") == Fees(commission=0.2, payment=0.05, shipping=10)
    assert own.fees("ebay") == Fees(commission=0.1, payment=0.0, shipping=9)
    assert PredictionConfig().fees("stockx") == PredictionConfig().fees("farfetch") == Fees()


@pytest.mark.parametrize(
    "setting", ["0.1,0,4", "stockx=0.1,0", "stockx=9,3,4", "stockx=0.1,-0.1,0", "stockx=0.1,0,nan"]
)
def test_invalid_fees_are_refused(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv("SNEAKER_FEES", setting)
    line = error_line(run, shade(tmp_path / "shoe.png"))
    assert "SNEAKER_FEES" in line
    assert "0.09,0.03,4" in line


def test_a_site_without_known_fees_is_refused(run: Run, tmp_path: Path) -> None:
    line = error_line(run, shade(tmp_path / "shoe.png"), "--site", "stokx")
    assert "the fees of stokx are not known, only those of stockx: set SNEAKER_FEES" in line


@pytest.fixture
def shop() -> Any:
    with open_shop() as opened:
        yield opened


def test_an_address_is_fetched_and_priced(run: Run, shop: Shop, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.open(shade(tmp_path / "shoe.png")).save(file, "PNG")
    shop.answers["/shoe.png"] = reply(body=file.getvalue(), kind="image/png")
    _, fetched, _ = run(f"{shop.base}/shoe.png", "--json", settings=LOOPBACK)
    _, local, _ = run(tmp_path / "shoe.png", "--json")
    assert json.loads(fetched)["predicted_price"] == json.loads(local)["predicted_price"]
    assert shop.log[0].path == "/robots.txt"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/page", "is not a JPEG, PNG"),
        ("/gone", "answered 404"),
        ("/busy", "asks us to wait"),
        ("/private", "robots.txt does not allow it"),
        ("/endless", "longer than 100,000 bytes"),
        ("/inside", "lies outside"),
    ],
)
def test_an_address_without_a_picture_is_refused(run: Run, shop: Shop, path: str, message: str) -> None:
    shop.answers |= {
        "/robots.txt": reply(body=b"User-agent: *\nDisallow: /private", kind="text/plain"),
        "/page": reply(body=b"<p>a shoe</p>"),
        "/busy": reply(429, Retry_After="3600"),
        "/endless": endless(b"x" * 10_000),
        "/inside": reply(302, Location="http://10.0.0.1/shoe.jpg"),
    }
    assert message in error_line(run, f"{shop.base}{path}", settings=LOOPBACK)


def test_an_address_is_fetched_by_the_rules_of_a_live_crawl(
    run: Run, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "needs a contact" in error_line(run, f"{shop.base}/shoe.jpg")
    monkeypatch.setenv("SNEAKER_CONTACT", "crawl@example.org")
    assert "private address" in error_line(run, f"{shop.base}/shoe.jpg")
    assert not shop.log
    assert "http://127.0.0.1:9/shoe.jpg" in error_line(run, "http://127.0.0.1:9/shoe.jpg", settings=LOOPBACK)


def test_missing_files_and_empty_folders_are_refused(run: Run, tmp_path: Path) -> None:
    assert "nowhere.jpg does not exist: name a photo, a folder" in error_line(run, tmp_path / "nowhere.jpg")
    assert "contains no photo: files that end in .jpg" in error_line(run, tmp_path)
    (tmp_path / "text.jpg").write_text("no picture")
    assert "text.jpg is not a JPEG, PNG" in error_line(run, tmp_path / "text.jpg")


def test_a_lake_without_a_champion_is_refused(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNEAKER_LAKE", str(tmp_path / "empty"))
    assert "has no champion yet: run make demo" in error_line(run, shade(tmp_path / "shoe.png"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--retail", "-5"],
        ["--retail", "abc"],
        ["--retail", "0"],
        ["--retail", "inf"],
        ["--retail", "nan"],
        ["--figure", "shoe.jpg"],
        ["--figure", "/nowhere/shoe.png"],
        ["--fees", "9"],
    ],
)
def test_an_invalid_option_ends_with_status_2(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(shade(tmp_path / "shoe.png"), *arguments)
    assert ended.value.code == 2


def test_the_command_imports_neither_dagster_nor_the_compiler(champion: Champion, tmp_path: Path) -> None:
    code = (
        "import sys; from sneaker_assets.cli.price import main; status = main(sys.argv[1:]); "
        "assert not {'dagster', 'matplotlib', 'captum', 'scipy', 'torch._dynamo'} & set(sys.modules); sys.exit(status)"
    )
    environment = os.environ | {"SNEAKER_LAKE": str(champion.lake.root), "SNEAKER_DEVICE": "cpu"}
    environment.pop("SNEAKER_WEIGHTS", None)
    result = subprocess.run(
        [sys.executable, "-c", code, str(shade(tmp_path / "shoe.png"))],
        check=False, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    assert "expected price" in result.stdout
