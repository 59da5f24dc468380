"""What every scenario of the filter lab must be, without playing it."""

from __future__ import annotations

import re

import pytest

from classifiers.policy_model import Filter, Site
from tests.lab.filters import dns, play, web
from tests.lab.filters.catalogue import SCENARIOS
from tests.lab.filters.clients import PROGRAMS
from tests.lab.filters.scenario import PLAIN, Scenario
from tests.lab.filters.topology import CLIENTS, PUPILS


def test_keys_differ() -> None:
    """No scenario hides another, and each key can be a site's and a folder's name."""
    assert len(SCENARIOS) == len(dns.SCENARIOS) + len(web.SCENARIOS)
    for key in SCENARIOS:
        assert re.fullmatch(r"(dns|web)_[a-z0-9_]+", key)
        assert Site(id=f"{key}-5").id


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_scenario_can_be_played_and_declared(scenario: Scenario) -> None:
    """Its facts fit a policy, its programs exist, and every cell has clients that visit all of its names."""
    assert set(Filter(**scenario.facts).model_fields_set) == set(scenario.facts)
    assert {cell.program for cell in scenario.cells} <= set(PROGRAMS)
    planned = [v for half in (0, 1) for client in CLIENTS for v in play.visits(scenario, client, half)]
    attempts = [visit for visit in planned if visit.zone != PLAIN]
    assert len(attempts) == PUPILS * scenario.names * len(scenario.cells) * len(scenario.zones)
    assert len(set(attempts)) == len(attempts)
    for client in {visit.client for visit in planned}:
        own = [visit for visit in planned if visit.client == client]
        assert own[0].zone == own[-1].zone == PLAIN


def test_visits_come_in_the_same_order_each_time() -> None:
    """A scenario that is played again asks the same things in the same order."""
    scenario = SCENARIOS["dns_none"]
    assert play.visits(scenario, CLIENTS[0], 0) == play.visits(scenario, CLIENTS[0], 0)
    assert play.visits(scenario, CLIENTS[0], 0) != play.visits(scenario, CLIENTS[1], 0)
