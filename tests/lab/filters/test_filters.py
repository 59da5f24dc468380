"""One filter of each kind, for real: what the product says of it is what its clients met."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.filters import play
from tests.lab.filters.catalogue import SCENARIOS
from tests.lab.filters.judge import judge
from tests.lab.filters.score import GOALS, Scored, compare, precision, recall, wrong

pytestmark = [pytest.mark.service, pytest.mark.slow]

BLOCKING = (
    "dns_dnsmasq_sinkhole",
    "dns_dnsmasq_null",
    "dns_refused",
    "dns_ede",
    "dns_injected",
    "dns_broad_refused",
    "web_reset",
    "web_inject",
    "web_squid_connect",
    "web_squid_redirect",
)
FAILING = (
    "dns_outage_dead",
    "dns_outage_bogus",
    "dns_outage_no_name",
    "web_port_closed",
    "web_site_refusing",
    "web_site_expired",
)
LEAKING = ("dns_none", "dns_ipv6_leak", "dns_fails_open", "web_ipv6_leak", "web_line_loss")


def played(key: str, folder: Path) -> list[Scored]:
    """A small form of the scenario, played and judged at the inner tap."""
    if reason := play.why_not() or SCENARIOS[key].why_not():
        pytest.skip(reason)
    scenario = replace(SCENARIOS[key], names=2, pace_s=0.1)
    seen = play.play(scenario, folder)
    rows = judge({key: seen.captures["lan"]}, "lan", scenario.facts, folder / "judged", [0.0])
    return compare(scenario, "lan", True, 0.0, seen.tried, rows)


@pytest.mark.parametrize("key", BLOCKING)
def test_a_filter_is_seen_to_block(key: str, tmp_path: Path) -> None:
    """What it stops is blocked, all that it lets through is allowed, and nothing false is said."""
    cases = played(key, tmp_path)
    assert wrong(cases) == []
    assert precision(cases, "blocked").hits >= 8
    assert (recall(cases, "blocked").value or 0) >= GOALS["recall"]
    assert recall(cases, "allowed").value in (1.0, None)


@pytest.mark.parametrize("key", FAILING)
def test_a_failure_is_not_taken_for_a_block(key: str, tmp_path: Path) -> None:
    """What failed without a filter is inconclusive."""
    cases = played(key, tmp_path)
    assert sum(case.truth == "failed" for case in cases) >= 8
    assert wrong(cases) == []


@pytest.mark.parametrize("key", LEAKING)
def test_a_leak_is_seen(key: str, tmp_path: Path) -> None:
    """What arrived in spite of the policy is allowed, or partial where another way was blocked."""
    cases = played(key, tmp_path)
    assert sum(case.truth == "delivered" for case in cases) >= 8
    assert recall(cases, "allowed").value == 1.0
    assert wrong(cases) == []
