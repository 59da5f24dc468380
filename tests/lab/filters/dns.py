"""Filters that answer questions for names: every kind of block, their failures, and ways around them."""

from __future__ import annotations

from tests.lab.filters import resolver
from tests.lab.filters.scenario import STOPPED, Scenario, nobody

SCENARIOS = (
    Scenario("dns_none", "no filter", resolver.forwarding, stops=nobody),
    Scenario(
        "dns_rpz_nxdomain",
        "unbound, response policy zone: NXDOMAIN",
        lambda lab: resolver.unbound(lab, policy=[f"*.{STOPPED} CNAME ."]),
        facts={"methods": ["dns"], "resolvers": []},
    ),
)
