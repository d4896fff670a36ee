"""Settings of the environment; what holds for each of them is tested over all fields of the model."""

import ast
import logging
import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

import sneaker_assets
from sneaker_assets.market.fees import Fees
from sneaker_assets.resources import ComputeResource, LakeResource, ListingSourceResource
from sneaker_assets.settings import environment as module
from sneaker_assets.settings.environment import PREFIX, Settings, load_settings, variable
from sneaker_assets.settings.model import SettingsError
from sneaker_assets_tests.settings.test_model import bounds, out_of_bounds

ROOT = Path(__file__).parents[2]
PACKAGE = Path(sneaker_assets.__file__).parent
INVALID = "? !"
"""Invalid for every setting that is not free text."""

FREE_TEXT = {
    name
    for name, field in Settings.model_fields.items()
    if field.annotation in (str, Path | None) and not field.metadata
} | {"footwear_categories", "sites"}
SECRETS = {"kicksdb_key", "stockx_key", "stockx_token", "webhook"}
OTHERS_VARIABLES = {
    "__init__.py": {"OMP_WAIT_POLICY"},
    "assets/finetune_worker.py": {"DAGSTER_PIPES_CONTEXT"},
    "cli/pipeline/command.py": {"DAGSTER_HOME"},
    "resources/tracking.py": {"MLFLOW_EXPERIMENT_NAME"},
    "torch_utils/distributed.py": {"LOCAL_RANK", "RANK", "WORLD_SIZE"},
    "tracking/address.py": {"MLFLOW_TRACKING_URI"},
}
"""Variables of other programs, which are read where they are used."""

SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
ARGUMENTS = {
    "sneaker-archive": ["check", "folder"],
    "sneaker-assets": [],
    "sneaker-generate": ["--band", "cheap", "out"],
    "sneaker-price": ["photo.jpg"],
    "sneaker-shop": [],
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without settings."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    module._warn_unknown.cache_clear()
    module._load.cache_clear()
    return monkeypatch


def mistakes() -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load_settings()
    return str(raised.value).splitlines()


def run_script(name: str, arguments: list[str], home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command as its installed script does, in an empty folder."""
    target, function = SCRIPTS[name].split(":")
    code = f"import sys; from {target} import {function}; sys.exit({function}())"
    set_here = {variable: text for variable, text in os.environ.items() if not variable.startswith(PREFIX)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], check=False, capture_output=True, text=True, cwd=home, timeout=120,
        env={**set_here, "PYTHONPATH": str(ROOT), "DAGSTER_HOME": str(home), **variables},
    )  # fmt: skip


@pytest.mark.parametrize("name", Settings.model_fields)
@pytest.mark.parametrize("text", ["", "  "])
def test_empty_value_counts_as_unset(environment: pytest.MonkeyPatch, name: str, text: str) -> None:
    environment.setenv(variable(name), text)
    assert load_settings() == Settings()


@pytest.mark.parametrize("name", sorted(Settings.model_fields.keys() - FREE_TEXT))
def test_invalid_value_is_reported_in_one_line(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(variable(name), INVALID)
    (line,) = mistakes()
    expected = f"{variable(name)}: " if name in SECRETS else f"{variable(name)}={INVALID!r}: "
    assert line.startswith(expected)
    assert len(line) > len(expected) + 10
    assert name not in SECRETS or INVALID not in line


@pytest.mark.parametrize("name", [name for name, field in Settings.model_fields.items() if bounds(field)])
def test_value_out_of_bounds_is_reported_in_one_line(environment: pytest.MonkeyPatch, name: str) -> None:
    for bound in bounds(Settings.model_fields[name]):
        environment.setenv(variable(name), f"{out_of_bounds(bound):g}")
        (line,) = mistakes()
        assert line.startswith(f"{variable(name)}='{out_of_bounds(bound):g}': it must be ")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_unknown_name_is_logged_with_the_nearest_setting(
    environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    environment.setenv(f"{variable(name)}X", "1")
    with caplog.at_level(logging.WARNING, "sneaker_assets"):
        assert load_settings() == load_settings() == Settings()
    assert [record.getMessage() for record in caplog.records] == [
        f"{variable(name)}X is not a setting and is ignored: did you mean {variable(name)}?"
    ]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("source", "demo,archive", "demo cannot be combined"),
        ("source", ",", "it names no source"),
        ("sites", "goat,goat=saved", "goat is named twice"),
        ("sites", "=saved", "each entry is a site, or a site and its source such as stockx=saved"),
        ("sites", "goat=ebay", "it must be 'demo', 'archive', 'saved', 'live' or 'kicksdb'"),
        ("kicksdb_market", "usa", "String should match"),
        ("backbones", ",", "it names no backbone"),
        ("backbones", "vgg16,resnet50, vgg16", "vgg16 is named twice"),
        (
            "backbones",
            "vgg16,efficientnet_lite_0",
            "'efficientnet_lite_0': did you mean efficientnet_lite0 or ",
        ),
        ("backbones", "vgg16;resnet50", "unknown backbone 'vgg16;resnet50': "),
    ],
)
def test_invalid_sources_sites_and_backbones_are_refused(
    environment: pytest.MonkeyPatch, name: str, text: str, reason: str
) -> None:
    environment.setenv(variable(name), text)
    (line,) = mistakes()
    assert reason in line


def test_sources_and_sites_are_lists(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SNEAKER_SOURCE", "archive, Saved")
    environment.setenv("SNEAKER_SITES", "GOAT, stockx = saved")
    assert load_settings().source == ("archive", "saved")
    assert load_settings().sites == {"goat": None, "stockx": "saved"}


def test_every_mistake_has_a_line(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SNEAKER_SOURCE", "ebay")
    environment.setenv("SNEAKER_RECRAWL_JITTER", "soon")
    assert sorted(mistakes()) == [
        "SNEAKER_RECRAWL_JITTER='soon': it must be a valid integer",
        "SNEAKER_SOURCE='ebay': it must be 'demo', 'archive', 'saved', 'live' or 'kicksdb'",
    ]


@pytest.mark.parametrize(("given", "missing"), [("KEY", "TOKEN"), ("TOKEN", "KEY")])
def test_stockx_key_and_token_need_each_other(environment: pytest.MonkeyPatch, given: str, missing: str) -> None:
    environment.setenv(f"SNEAKER_STOCKX_{given}", "secret-value")
    assert mistakes() == [f"SNEAKER_STOCKX_{given} is set without SNEAKER_STOCKX_{missing}: StockX's API needs both"]


def test_secrets_are_in_no_representation(environment: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        environment.setenv(variable(name), "https://secret-value")
    settings = load_settings()
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.automation)):
        assert "secret-value" not in shown


def test_values_are_parsed(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SNEAKER_BANDS", " 200, 500 ")
    environment.setenv("SNEAKER_SHOPIFY_STORES", "example.com=usd, Shop.Example.org ,")
    environment.setenv("SNEAKER_FEES", "ebay = 0.08,0,12;")
    environment.setenv("SNEAKER_RECRAWL_CRON", "15 2 * * *; farfetch=30 4 * * 1")
    environment.setenv("SNEAKER_WEIGHTS", "/weights")
    settings = load_settings()
    assert settings.bands == (200.0, 500.0)
    assert settings.shopify_stores == {"example.com": "USD", "shop.example.org": None}
    assert settings.fees == {"stockx": Fees(), "ebay": Fees(commission=0.08, payment=0.0, shipping=12.0)}
    assert settings.recrawl_cron == {"*": "15 2 * * *", "farfetch": "30 4 * * 1"}
    assert settings.weights == Path("/weights")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("bands", "500,200", "rising prices in US dollars above 0"),
        ("bands", "0,200", "rising prices in US dollars above 0"),
        ("bands", "200,inf", "rising prices in US dollars above 0"),
        ("shopify_stores", "https://example.com", "is not a host"),
        ("shopify_stores", "example", "is not a host"),
        ("shopify_stores", "example.com=dollars", "example.com=USD"),
        ("shopify_stores", "example.com=", "example.com=USD"),
        ("shopify_stores", "example.com/cart=USD", "is not a host"),
        ("shopify_stores", "example.com=USD,example.com/collections/shoes=USD", "is named twice"),
        ("fees", "0.1,0,4", "names no site"),
        ("fees", "stockx=9,3,4", "0.09,0.03,4"),
        ("recrawl_cron", "farfetch=every night", "not a cron of five fields"),
        ("recrawl_cron", "=0 3 * * *", "names no site"),
        ("retrain_days", "nan", "finite number"),
        ("time_zone", "../etc/passwd", "time zone such as UTC"),
    ],
)
def test_malformed_value_is_explained(environment: pytest.MonkeyPatch, name: str, text: str, reason: str) -> None:
    environment.setenv(variable(name), text)
    (line,) = mistakes()
    assert line.startswith(f"{variable(name)}={text!r}: ")
    assert reason in line


def test_live_source_is_polled_less_often_unless_set(environment: pytest.MonkeyPatch) -> None:
    assert load_settings().automation.watch_seconds == 60
    environment.setenv("SNEAKER_SOURCE", "live")
    assert load_settings().automation.watch_seconds == 900
    environment.setenv("SNEAKER_WATCH_SECONDS", "300")
    assert load_settings().automation.watch_seconds == 300


def test_resource_fields_override_the_environment(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("SNEAKER_LAKE", str(tmp_path / "environment"))
    environment.setenv("SNEAKER_SOURCE", "live")
    environment.setenv("SNEAKER_WEIGHTS", "/environment")
    assert str(LakeResource().open().root) == str(tmp_path / "environment")
    assert str(LakeResource(root=str(tmp_path / "field")).open().root) == str(tmp_path / "field")
    assert (ListingSourceResource().names, ListingSourceResource(source="demo").names) == (("live",), ("demo",))
    weights = [ComputeResource(weights=folder).weights_folder for folder in (None, "/field")]
    assert weights == [Path("/environment"), Path("/field")]


@pytest.mark.parametrize(
    ("resource", "values"),
    [
        (ListingSourceResource, {"source": "ebay"}),
        (ListingSourceResource, {"demo_today": "soon"}),
        (ListingSourceResource, {"delay_seconds": -1}),
        (ComputeResource, {"device": "gpu"}),
    ],
)
def test_resource_rejects_an_invalid_field(resource: type[BaseModel], values: dict[str, Any]) -> None:
    (name,) = values
    with pytest.raises(ValidationError, match=name):
        resource(**values)


def environment_reads(tree: ast.AST) -> bool:
    """Whether a module uses ``os.environ``, ``os.getenv`` or Dagster's ``EnvVar``."""
    names = {node.attr if isinstance(node, ast.Attribute) else node.id for node in ast.walk(tree)
             if isinstance(node, ast.Attribute | ast.Name)}  # fmt: skip
    return bool(names & {"environ", "getenv", "EnvVar"})


def test_only_the_settings_module_reads_the_environment() -> None:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name != "environment.py" and environment_reads(ast.parse(text)):
            name = path.relative_to(PACKAGE).as_posix()
            found[name] = set(re.findall(r'"([A-Z_]{4,})"', text)) & set().union(*OTHERS_VARIABLES.values())
    assert found == OTHERS_VARIABLES


def test_every_variable_named_in_code_and_documents_is_a_setting() -> None:
    known = {variable(name) for name in Settings.model_fields}
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "Makefile", ROOT / "data_lake" / "README.md"]
    for path in [*PACKAGE.rglob("*.py"), *documents]:
        named = set(re.findall(r"\bSNEAKER_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))
        assert named <= known, path


@pytest.mark.parametrize("command", SCRIPTS)
@pytest.mark.parametrize("name", ["BANDS", "SHOPIFY_STORES", "DEVICE"])
def test_command_rejects_invalid_settings_before_it_starts(command: str, name: str, tmp_path: Path) -> None:
    result = run_script(command, ARGUMENTS[command], tmp_path, **{PREFIX + name: INVALID})
    assert result.returncode in (1, 2)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"{command}: {PREFIX}{name}={INVALID!r}: ")
    assert not list(tmp_path.iterdir())


def test_cron_without_room_for_the_jitter_is_reported_in_one_line(tmp_path: Path) -> None:
    result = run_script("sneaker-assets", [], tmp_path, SNEAKER_RECRAWL_CRON="*/5 3 * * *")
    assert result.returncode in (1, 2)
    (line,) = result.stderr.splitlines()
    assert "set SNEAKER_RECRAWL_JITTER=0" in line


@pytest.mark.parametrize(
    ("command", "arguments", "reason"),
    [
        ("sneaker-assets", ["--epochs", "0"], "argument --epochs: '0': it must be greater than 0"),
        ("sneaker-assets", ["--gan-batch-size", "1"], "argument --gan-batch-size: '1': it must be greater than 1"),
        ("sneaker-assets", ["--head", "forest"], "argument --head: invalid choice: 'forest'"),
        ("sneaker-generate", ["--band", "cheap", "-n", "0", "out"], "argument -n: '0' is not a whole number from 1 to"),
        ("sneaker-generate", ["--band", "cheap", "--seed", "-1", "out"], "argument --seed: '-1' is not a whole number"),
        ("sneaker-price", ["--retail", "x", "photo.jpg"], "argument --retail: 'x' is not a price: give US dollars"),
        ("sneaker-shop", ["--today", "2020"], "argument --today: '2020' is not a date such as 2020-10-01"),
        ("sneaker-shop", ["--set-today", "soon"], "argument --set-today: 'soon' is not a date such as 2020-10-01"),
        ("sneaker-shop", ["--products", "-3"], "argument --products: '-3' is not a whole number from 1 to 100,000"),
        ("sneaker-shop", ["--seed", "x"], "argument --seed: 'x' is not a whole number from 0 to 4,294,967,295"),
    ],
)
def test_command_rejects_an_invalid_option_in_one_line(
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    command: str,
    arguments: list[str],
    reason: str,
) -> None:
    """In this process: that each command also does so in its own is tested with invalid settings."""
    environment.chdir(tmp_path)
    environment.setenv("DAGSTER_HOME", str(tmp_path))
    environment.setattr(sys, "argv", [command, *arguments])
    target, function = SCRIPTS[command].split(":")
    with pytest.raises(SystemExit) as ended:
        sys.exit(getattr(import_module(target), function)())
    output = capsys.readouterr()
    assert (ended.value.code, output.out) == (2, "")
    (line,) = output.err.splitlines()
    assert line.startswith(f"{command}: {reason}")


def test_definitions_end_their_traceback_with_the_mistake(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", "import sneaker_assets.definitions"], check=False, capture_output=True, text=True,
        env={**os.environ, "SNEAKER_BANDS": "expensive"}, cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 1
    *_, last = result.stderr.splitlines()
    assert last.endswith(
        "SettingsError: SNEAKER_BANDS='expensive': it must be prices in US dollars such as 500 or 200,500"
    )
    assert "During handling" not in result.stderr


@pytest.mark.parametrize(("given", "expected"), [(None, "passive"), ("active", "active")])
def test_package_sets_openmp_wait_policy_unless_given(given: str | None, expected: str) -> None:
    inherited = {name: text for name, text in os.environ.items() if name != "OMP_WAIT_POLICY"}
    code = "import os, sys, sneaker_assets; assert 'torch' not in sys.modules; print(os.environ['OMP_WAIT_POLICY'])"
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True,
        env=inherited | ({"OMP_WAIT_POLICY": given} if given else {}),
    )  # fmt: skip
    assert result.stdout.strip() == expected
