"""Delivery of alerts to a webhook on loopback that is down, broken or slow."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from sneaker_assets import alerts
from sneaker_assets.alerts import Alert, Outbox
from sneaker_assets.automation.alerts import alert_sensors, failure_alert, premium_alert
from sneaker_assets.lake import Lake, write_table
from sneaker_assets.resources import LakeResource
from sneaker_assets.settings.automation import AutomationSettings
from sneaker_assets_tests.crawl.answers import Answer, Server, endless, in_turn, raw, reply


class Hook:
    """A webhook server: its address and the payloads it received."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        self.address = ""


@contextmanager
def webhook(answer: Answer, port: int = 0) -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer(self)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002

    server = Server(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    hook.address = f"http://127.0.0.1:{server.server_port}/secret"
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()


def silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(1.0)
    handler.close_connection = True


def alert(number: int = 1) -> Alert:
    return Alert(f"run_failure-{number}", "run_failure", "crawl_site failed", f"2026-03-02T03:00:0{number}+00:00")


def test_payload_has_exactly_the_fields_of_the_alert(lake: Lake) -> None:
    outbox = Outbox(lake)
    assert outbox.add(Alert("a", "premium", "expensive", "2026-03-02T03:00:00+00:00", {"release": "stockx--p"}))
    with webhook(reply(204)) as hook:
        assert outbox.deliver(hook.address) == alerts.Delivery(sent=1, waiting=0)
    assert hook.posted == [
        {"id": "a", "kind": "premium", "text": "expensive", "at": "2026-03-02T03:00:00+00:00",
         "details": {"release": "stockx--p"}}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(reply(500), "answered 500"), (reply(404), "answered 404"), (reply(302, Location="http://127.0.0.1:9/"), "302"),
     (raw(b"nonsense\r\n\r\n"), "cannot be reached (ConnectionError)"),
     (silent, "cannot be reached (ReadTimeout)")],
)  # fmt: skip
def test_failed_post_is_retried_and_delivered_once(
    lake: Lake, answer: Answer, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "TIMEOUT", 0.3 if answer is silent else 5.0)
    outbox = Outbox(lake)
    outbox.add(alert())
    with webhook(in_turn(answer, reply(200))) as hook:
        first, second, third = (outbox.deliver(hook.address) for _ in range(3))
    assert (first.sent, first.waiting) == (0, 1)
    assert problem in (first.problem or "")
    assert "secret" not in str(first)
    assert (second.sent, second.waiting, third.sent) == (1, 0, 0)


def test_alerts_are_delivered_in_order_once_the_webhook_is_up(lake: Lake) -> None:
    outbox = Outbox(lake)
    with webhook(reply(200)) as hook:
        address, port = hook.address, int(hook.address.split(":")[2].split("/")[0])
    for number in (3, 1, 2):
        outbox.add(alert(number))
    assert outbox.deliver(address).waiting == 3
    with webhook(reply(200), port) as hook:
        assert outbox.deliver(address) == alerts.Delivery(sent=3, waiting=0)
    assert [posted["id"] for posted in hook.posted] == [f"run_failure-{number}" for number in (1, 2, 3)]


def test_endless_response_does_not_block_the_delivery(lake: Lake) -> None:
    outbox = Outbox(lake)
    outbox.add(alert())
    with webhook(endless(b"x" * 100, pause=0.05)) as hook:
        assert outbox.deliver(hook.address).sent == 1


def test_sent_alert_is_not_added_again(lake: Lake) -> None:
    outbox = Outbox(lake)
    assert outbox.add(alert())
    assert not outbox.add(alert())
    outbox.deliver()
    assert not outbox.add(alert())


def test_alerts_are_logged_to_a_file_without_a_webhook(lake: Lake) -> None:
    outbox = Outbox(lake)
    for number in (1, 2):
        outbox.add(alert(number))
        outbox.deliver()
    lines = (lake.folder("alerts") / "alerts.log").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["run_failure-1", "run_failure-2"]


def predicted(lake: Lake, release: str, price: float, retail: float | None) -> None:
    table = pd.DataFrame({"title": ["Shoe"], "predicted_price": [price], "retail_price": [retail]}).astype(
        {"retail_price": "float64"}
    )
    write_table(lake.table("release_predictions", release), table)


@pytest.mark.parametrize(
    ("price", "retail", "alerted"), [(299.0, 200.0, False), (300.0, 200.0, True), (900.0, None, False)]
)
def test_premium_above_the_threshold_gives_an_alert(
    lake: Lake, price: float, retail: float | None, alerted: bool
) -> None:
    predicted(lake, "stockx--p", price, retail)
    found = premium_alert(lake, "stockx--p", 0.5)
    assert (found is not None) == alerted
    if found:
        assert found.details["premium"] == 0.5
        assert found.text == "Shoe is expected to sell for $300, 50% above retail ($200)"


def test_each_prediction_alerts_once_even_if_the_cursor_is_lost(lake: Lake) -> None:
    sensor = alert_sensors(AutomationSettings(alert_premium=0.5))[1]
    log = lake.folder("alerts") / "alerts.log"
    with dg.DagsterInstance.ephemeral() as instance:

        def tick(cursor: str | None) -> str | None:
            resources = {"lake": LakeResource(root=str(lake.root))}
            result = sensor(dg.build_sensor_context(instance, cursor=cursor, resources=resources))
            assert isinstance(result, dg.SensorResult)
            return result.cursor

        def made(release: str, price: float) -> None:
            predicted(lake, release, price, 200.0)
            instance.report_runless_asset_event(dg.AssetMaterialization("release_predictions", partition=release))

        assert tick(None) is None
        made("stockx--expensive", 500.0)
        made("stockx--cheap", 210.0)
        cursor = tick(None)
        for again in (cursor, None, "nonsense"):
            tick(again)
        assert len(log.read_text().splitlines()) == 1
        made("stockx--expensive", 600.0)
        tick(cursor)
        prices = [json.loads(line)["details"]["predicted_price"] for line in log.read_text().splitlines()]
        assert prices == [500.0, 600.0]


def test_failed_run_alert_has_the_error_of_its_asset(lake: Lake) -> None:
    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["stockx"]))
    def broken() -> None:
        raise LookupError("nothing at this address")

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([broken], partition_key="stockx", instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            "run_failures", result.get_run_failure_event(), instance, result.dagster_run
        ).for_run_failure()
        sensor = alert_sensors(AutomationSettings())[0]
        sensor(context, lake=LakeResource(root=str(lake.root)))
        alert = failure_alert(context)
    assert alert.details == {
        "run_id": result.run_id, "job": result.dagster_run.job_name, "partition": "stockx",
        "error": "broken: LookupError: nothing at this address",
    }  # fmt: skip
    assert Outbox(lake).deliver() == alerts.Delivery(sent=1, waiting=0)
