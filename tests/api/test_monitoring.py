"""Alerts and dashboard: they ask for what there is, and a real Prometheus takes them."""

import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from spanwatch.worker import Worker
from tests.api.conftest import Running

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "spanwatch.rules.yml"
DASHBOARD = DEPLOY / "grafana" / "spanwatch.json"
METRIC = re.compile(r"\bspanwatch_[a-z_]+\b")


def asked() -> set[str]:
    """Metrics that alerts and panels name."""
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    panels_ask = [target["expr"] for panel in panels for target in panel["targets"]]
    rules_ask = re.findall(r"expr: (?:>\n)?((?:.|\n  {10})+)", RULES.read_text("utf-8"))
    assert len(rules_ask) == 10
    return {name for text in panels_ask + rules_ask for name in METRIC.findall(text)}


def test_every_metric_asked_for_is_there(school: Running) -> None:
    """No alert is silent, and no panel empty, because of a name."""
    nothing: Any = None
    worker = Worker(nothing, nothing, nothing, nothing)
    school.get("/v1/health", "engineer")
    text = school.get("/metrics", "administrator").text
    told = set(METRIC.findall(text)) | {f"spanwatch_worker_{name}" for name in worker.status}
    assert asked() - told == set()


def test_the_dashboard_is_whole() -> None:
    """Panels have titles, queries and places of their own."""
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]}
    assert len(places) == len(dashboard["panels"])
    assert all(panel["title"] and panel["targets"] for panel in dashboard["panels"])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.service
@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")
def test_a_real_prometheus_scrapes_and_alerts(school: Running, tmp_path: Path) -> None:
    """With the files as they are it scrapes with its token, and the silent sensor of long ago is an alert."""
    for file in (RULES, DEPLOY / "prometheus" / "prometheus.yml"):
        text = file.read_text("utf-8").replace("127.0.0.1:8080", school.base.removeprefix("http://"))
        (tmp_path / file.name).write_text(text.replace(": 15s", ": 1s"))
    (tmp_path / "token").write_text(school.token("administrator"))
    subprocess.run(
        ["promtool", "check", "config", tmp_path / "prometheus.yml"], check=True, capture_output=True
    )
    port = free_port()
    command = [
        "prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            deadline = time.monotonic() + 60
            states: dict[str, str] = {}
            while states.get("SpanwatchSensorSilent") != "pending":
                assert time.monotonic() < deadline, (states, (tmp_path / "log").read_text()[-2_000:])
                time.sleep(0.5)
                try:
                    rules = httpx.get(f"http://127.0.0.1:{port}/api/v1/rules").json()
                except httpx.TransportError:
                    continue
                found = [rule for group in rules["data"]["groups"] for rule in group["rules"]]
                states = {rule["name"]: rule["state"] for rule in found}
                assert not [rule["lastError"] for rule in found if rule.get("lastError")]
            assert states["SpanwatchDown"] == states["SpanwatchStoreDown"] == "inactive"
        finally:
            process.terminate()
