"""Storms: very many subjects of one detector at one site at once are one finding, about the site.

A flood from made-up addresses, a forged server in every VLAN or a filter that fails for a whole school
would be thousands of findings that say the same. The statement that reads them gives the strongest few and
how many there were, so that neither store nor runner ever holds them all.
"""

from datetime import datetime
from typing import Any

from classifiers.detector import Detector
from classifiers.loss import utc

#: Subjects of one detector at one site in one piece of event time from which they are one finding.
#: Our default.
STORM_SUBJECTS = 200
#: Of those, the strongest that are shown. Our default.
STORM_SAMPLES = 10

_WORDS = {"host": "hosts", "device": "devices", "server": "servers", "name": "names", "site": "sites"}


def storm_statement(detector: Detector, row: dict[str, Any], kind: str, strongest: str) -> str:
    """What is said of a storm: how many, when, and the strongest of them."""
    start, end = storm_times(row)
    what = _WORDS.get(kind, "subjects")
    when = f"{start:%Y-%m-%d %H:%M:%S} and {end:%H:%M:%S} UTC"
    many = f"{detector.title}: {row['subjects']:,} {what} between {when}, told as one."
    return f"{many} The strongest: {strongest}"


def storm_times(row: dict[str, Any]) -> tuple[datetime, datetime]:
    """When the first and the last of a storm's subjects were seen."""
    return utc(row["storm_from"]), utc(row["storm_to"])
