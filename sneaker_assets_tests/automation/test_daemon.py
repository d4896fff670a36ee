"""Dagster's daemon on a temporary instance, with a small offline shop whose clock is moved.

The tests share one lake and depend on their order: a daemon is killed between a tick and its run, and restarted.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from sneaker_assets.definitions import build_definitions
from sneaker_assets.demo_shop.catalogue import generate_releases
from sneaker_assets.lake import Lake, read_table
from sneaker_assets.resources import LakeIOManager, LakeResource, ListingSourceResource

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PRODUCTS = 40
SMALL_SHOP = f"""
import os
import time

import dagster as dg

from sneaker_assets.definitions import build_definitions
from sneaker_assets.resources import ListingSourceResource


@dg.op(pool="gpu")
def hold():
    with open(os.path.join(os.environ["DAGSTER_HOME"], "holder"), "w") as file:
        file.write(str(os.getpid()))
    time.sleep(600)


@dg.job(executor_def=dg.in_process_executor)
def hold_the_pool():
    hold()


defs = dg.Definitions.merge(
    build_definitions({{"listing_source": ListingSourceResource(source="demo", demo_products={PRODUCTS})}}),
    dg.Definitions(jobs=[hold_the_pool]),
)
"""
WITHIN = 240.0
"""Maximum seconds from the announcement of a release to its prediction."""

MODEL = ("image_features", "price_model", "evaluation_metrics")
FIRST, SECOND, THIRD = generate_releases()[:3]


def key(product: Any) -> str:
    return f"{product.site}--{product.product_id}"


class Deployment:
    """A DAGSTER_HOME, a lake with a champion, and the daemon over both."""

    def __init__(self, folder: Path) -> None:
        self.home, self.lake = folder / "home", Lake.at(folder / "lake")
        self.home.mkdir()
        self.environment = os.environ | {
            "DAGSTER_HOME": str(self.home),
            "SNEAKER_LAKE": str(self.lake.root),
            "SNEAKER_SOURCE": "demo",
            "SNEAKER_BACKBONES": "resnet18",
            "SNEAKER_WATCH_SECONDS": "2",
            "SNEAKER_ALERT_PREMIUM": "-1",
            "PYTHONPATH": str(ROOT),
            "COVERAGE_PROCESS_CONFIG": "",  # under coverage, Dagster's processes take 40 % longer to start
        }
        self.workspace = folder / "workspace.yaml"
        self.workspace.write_text(f"load_from:\n  - python_file: {folder / 'small_shop.py'}\n")
        (folder / "small_shop.py").write_text(SMALL_SHOP)
        self.daemon: subprocess.Popen[bytes] | None = None
        self.configure()
        self.instance = dg.DagsterInstance.from_config(str(self.home))

    def configure(self, *, hold_runs: bool = False) -> None:
        """Install the project's dagster.yaml; held runs stay in the queue."""
        settings = (ROOT / "dagster.yaml").read_text()
        held = "concurrency:\n  runs:\n    max_concurrent_runs: 0\n"
        (self.home / "dagster.yaml").write_text(settings.replace("concurrency:\n", held) if hold_runs else settings)

    def command(self, *arguments: str) -> None:
        subprocess.run([*arguments], check=True, cwd=self.home, env=self.environment, capture_output=True)

    def set_today(self, day: object) -> None:
        self.command(sys.executable, "-m", "sneaker_assets.cli.shop", "--set-today", str(day))

    def start(self) -> None:
        arguments = [str(BIN / "dagster-daemon"), "run", "-w", str(self.workspace)]
        with (self.home / "daemon.log").open("ab") as log:
            self.daemon = subprocess.Popen(
                arguments, cwd=self.home, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """Kill the daemon, its code server and its runs."""
        if self.daemon is not None:
            os.killpg(self.daemon.pid, signal.SIGKILL)
            self.daemon.wait()
            self.daemon = None

    def materialized(self, asset: str, partition: str | None = None) -> int:
        wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition] if partition else None)
        return len(self.instance.fetch_materializations(wanted, limit=100).records)

    def runs(self, release: str) -> list[dg.DagsterRun]:
        return list(self.instance.get_runs(dg.RunsFilter(tags={"dagster/partition": release})))

    def until(self, what: str, condition: Callable[[], object], seconds: float = WITHIN) -> None:
        ends = time.monotonic() + seconds
        while not condition():
            assert self.daemon is not None, "no daemon is running"
            assert self.daemon.poll() is None, f"the daemon ended\n{self.log()}"
            assert time.monotonic() < ends, f"{what}: not within {seconds:.0f} s\n{self.log()}"
            time.sleep(0.1)

    def log(self) -> str:
        return (self.home / "daemon.log").read_text()[-5000:]

    def ticks(self, sensor: str) -> int:
        states = [s for s in self.instance.all_instigator_state() if s.instigator_name == sensor]
        return sum(len(self.instance.get_ticks(s.instigator_origin_id, s.selector_id)) for s in states)

    def price_once(self, release: str) -> None:
        """Wait for the prediction of a release, and check that two more ticks do not repeat it."""
        self.until(f"a prediction for {release}", lambda: self.materialized("release_predictions", release))
        seen = self.ticks("new_releases")
        self.until("two more ticks", lambda: self.ticks("new_releases") >= seen + 2)
        assert (self.materialized("release_predictions", release), len(self.runs(release))) == (1, 1)
        assert read_table(self.lake.table("release_predictions", release))["predicted_price"].gt(0).all()


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path_factory.mktemp("deployment"))
    lake = LakeResource(root=str(deployment.lake.root))
    definitions = build_definitions(
        {
            "lake": lake,
            "io_manager": LakeIOManager(lake=lake),
            "listing_source": ListingSourceResource(source="demo", demo_products=PRODUCTS),
        }
    )
    with dg.DagsterInstance.ephemeral() as instance:
        for job, partition in [
            ("crawl_site", "stockx"), ("crawl_site", "farfetch"), ("build_data_set", None),
            ("train_price_model", "resnet18"), ("rank_models", None),
        ]:  # fmt: skip
            chosen = [dg.AssetKey(asset) for asset in MODEL] if job == "train_price_model" else None
            definitions.resolve_job_def(job).execute_in_process(
                partition_key=partition, instance=instance, asset_selection=chosen
            )
    deployment.set_today("2020-09-01")
    deployment.command(str(BIN / "dagster"), "sensor", "start", "--start-all", "-w", str(deployment.workspace))
    yield deployment
    deployment.kill()
    deployment.instance.dispose()


def test_daemon_killed_between_tick_and_run_prices_each_release_once(
    deployment: Deployment,
) -> None:
    deployment.configure(hold_runs=True)
    deployment.start()
    deployment.until("a first look at the shop", lambda: deployment.ticks("new_releases"))
    assert deployment.runs(key(FIRST)) == []
    deployment.set_today(FIRST.announced)
    deployment.until("a run", lambda: deployment.runs(key(FIRST)))
    deployment.kill()
    (waiting,) = deployment.runs(key(FIRST))
    assert waiting.status in (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED)
    assert deployment.materialized("release_predictions", key(FIRST)) == 0
    deployment.configure()
    deployment.start()
    deployment.price_once(key(FIRST))


def test_new_release_is_priced_once(deployment: Deployment) -> None:
    deployment.set_today(SECOND.announced)
    deployment.price_once(key(SECOND))


def test_killed_run_releases_its_pool_slot(deployment: Deployment) -> None:
    launch = ("job", "launch", "-j", "hold_the_pool", "-w", str(deployment.workspace))
    deployment.command(str(BIN / "dagster"), *launch)
    holder = deployment.home / "holder"
    deployment.until("a run in the pool", lambda: holder.exists() and holder.read_text())
    deployment.set_today(THIRD.announced)
    deployment.until("a run that waits", lambda: deployment.materialized("releases", key(THIRD)))
    assert deployment.materialized("release_predictions", key(THIRD)) == 0
    os.kill(int(holder.read_text()), signal.SIGKILL)
    deployment.price_once(key(THIRD))


def test_crawls_trigger_the_data_set_once(deployment: Deployment) -> None:
    deployment.until("exchange rates", lambda: deployment.materialized("fx_rates"))
    crawl = ("job", "backfill", "-j", "crawl_site", "--partitions", "stockx,farfetch", "--noprompt")
    deployment.command(str(BIN / "dagster"), *crawl, "-w", str(deployment.workspace))
    deployment.until("listings", lambda: deployment.materialized("listings"))
    assert deployment.materialized("scraped_images") == 2
    deployment.until("splits", lambda: deployment.materialized("splits"))
    builds = {
        deployment.materialized(asset) for asset in ("price_observations", "image_properties", "listings", "splits")
    }
    assert builds == {1}


def test_backbone_in_use_is_trained_and_ranked_the_first_time(deployment: Deployment) -> None:
    trained = ("image_features", "price_model", "trained_rows", "evaluation_metrics")
    deployment.until("a model", lambda: all(deployment.materialized(asset, "resnet18") for asset in trained))
    deployment.until("a leaderboard", lambda: deployment.materialized("model_leaderboard"))


def test_priced_release_is_alerted(deployment: Deployment) -> None:
    log = deployment.lake.folder("alerts") / "alerts.log"
    deployment.until("an alert", lambda: log.exists() and key(SECOND) in log.read_text())
