"""All scenarios of the filter lab, by key."""

from tests.lab.filters import dns, web
from tests.lab.filters.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {scenario.key: scenario for scenario in (*dns.SCENARIOS, *web.SCENARIOS)}
