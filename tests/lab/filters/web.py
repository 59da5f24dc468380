"""Filters of web traffic, and what looks like one and isn't."""

from __future__ import annotations

from tests.lab.filters import around, line, outages, proxies
from tests.lab.filters.scenario import Scenario

SCENARIOS: tuple[Scenario, ...] = (*line.SCENARIOS, *outages.SCENARIOS, *proxies.SCENARIOS, *around.SCENARIOS)
