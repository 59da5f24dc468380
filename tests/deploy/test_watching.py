"""Alerts and dashboard of a cluster: they ask for what there is, and say what they should of made series."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.settings import load_settings
from pipeline.store.client import open_store
from spanwatch.relay import Relay
from spanwatch.worker import Worker
from tests.deploy.composed import DEPLOY, services

PROMETHEUS = DEPLOY / "prometheus"
OURS = re.compile(r"\bspanwatch_(relay|worker)_([a-z_]+)\b")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "cluster.rules.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DEPLOY / "grafana/cluster.json").read_text("utf-8"))["panels"]
    return found


def expressions() -> list[str]:
    return [rule["expr"] for rule in rules()] + [t["expr"] for panel in panels() for t in panel["targets"]]


def test_what_is_asked_of_us_is_told(tmp_path: Path) -> None:
    """Every number of relay and worker that an alert or panel names is one of their status."""
    nothing: Any = None
    told = {
        "relay": set(Relay(load_settings(state=tmp_path), nothing).status),
        "worker": set(Worker(nothing, nothing, nothing, nothing).status),
    }
    asked = {found for text in expressions() for found in OURS.findall(text)}
    assert len(asked) > 8
    assert [(who, name) for who, name in asked if name not in told[who]] == []


def test_what_is_asked_of_clickhouse_is_told(tmp_path: Path) -> None:
    """Its metrics have the names that the engine gives them."""
    with open_store(load_settings(state=tmp_path)) as store:
        known = {row["metric"] for row in store.rows("SELECT metric FROM system.metrics")}
    asked = {name for text in expressions() for name in re.findall(r"ClickHouseMetrics_(\w+)", text)}
    assert asked
    assert asked <= known


def test_alerts_and_panels_are_whole() -> None:
    """Each alert says what is and what to do, names are given once, panels have places of their own."""
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"].keys() == {"summary", "description"}
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()}
    assert len(places) == len(panels())
    assert all(panel["title"] and panel["description"] and panel["targets"] for panel in panels())


def test_targets_are_containers() -> None:
    """What Prometheus is to scrape of the store and the pages are names that compose gives."""
    config = yaml.safe_load((PROMETHEUS / "cluster.yml").read_text("utf-8"))
    hosts = {
        job["job_name"]: [target.partition(":")[0] for s in job["static_configs"] for target in s["targets"]]
        for job in config["scrape_configs"]
    }
    assert hosts["clickhouse"] == sorted(name for name in services() if name.startswith("clickhouse-"))
    assert hosts["keeper"] == sorted(name for name in services() if name.startswith("keeper-"))
    assert hosts["spanwatch"] == ["api"]


@pytest.mark.skipif(not shutil.which("promtool"), reason="prometheus is not installed")
def test_promtool_accepts_them(tmp_path: Path) -> None:
    """Configuration and rules are valid; the alerts fire, with their words, for the series made for them."""
    for file in (*PROMETHEUS.glob("*.yml"), Path(__file__).with_name("cluster.test.yml")):
        shutil.copy(file, tmp_path)
    (tmp_path / "token").write_text("token")
    for command in (["check", "config", "cluster.yml"], ["test", "rules", "cluster.test.yml"]):
        done = subprocess.run(
            ["promtool", *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
