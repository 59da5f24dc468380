"""The share that the mirror lost, as sums over minutes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from classifiers.loss import Loss

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def row(site: str, minute: int, **counted: float) -> dict[str, Any]:
    zeros = {"dropped": 0, "packets": 0, "lost": 0, "bytes": 0}
    return {
        "site": site,
        "minute": f"{NINE + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%S.%fZ}",
        **zeros,
        **counted,
    }


def test_the_greater_of_frames_and_bytes() -> None:
    """Dropped frames and missed bytes are two shares of their own; the greater one counts."""
    loss = Loss([row("main", 0, dropped=1, packets=99, lost=5, bytes=95), row("main", 9, dropped=50)])
    assert loss.share("main", NINE, NINE + timedelta(minutes=1)) == pytest.approx(0.05)


def test_drops_of_a_sensor_of_several_sites_count_for_each() -> None:
    """Its health names no site; bytes of hosts of no site say nothing about a site."""
    loss = Loss(
        [row("", 0, dropped=10, packets=80, lost=90, bytes=10), row("main", 0, packets=10, bytes=100)]
    )
    assert loss.share("main", NINE, NINE) == pytest.approx(0.1)
