"""What happens at a school every day, and must stay silent."""

from __future__ import annotations

from tests.lab import traffic
from tests.lab.detectors.scenario import Scenario, Truth
from tests.lab.network import Lab


def one_page(lab: Lab) -> Truth:
    """A laptop gets its address and opens pages of four sites."""
    lab.host("laptop", "students")
    if not traffic.lease(lab, "laptop", "windows"):
        raise RuntimeError("the laptop got no address")
    said = [traffic.visit(lab, "laptop", name) for name in ("www.wikipedia.org", "www.nasa.gov")]
    return Truth(said="".join(said))


SCENARIOS = (Scenario("benign_pages", "a laptop, DHCP, two pages with their parts (curl)", one_page),)
