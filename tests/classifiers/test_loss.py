"""The share that the mirror lost, as sums over minutes; unknown is no share."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from classifiers.loss import MEASURED_BYTES, Loss
from tests.classifiers.conftest import Scribe, at

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
#: What a sensor that lost nothing tells of a minute in which enough was seen.
TOLD = {"reports": 6, "packets": 1_000, "bytes": MEASURED_BYTES}


def row(site: str, minute: int, **counted: float) -> dict[str, Any]:
    zeros = {"dropped": 0, "packets": 0, "reports": 0, "holes": 0, "lost": 0, "bytes": 0}
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


def test_bytes_missed_just_before_count() -> None:
    """What TCP tells of the mirror holds for minutes around; what a sensor dropped, for its own minute."""
    loss = Loss([row("main", 0, **TOLD), row("main", 3, lost=50, bytes=950), row("main", 4, dropped=999)])
    assert loss.share("main", NINE, NINE) == pytest.approx(50 / (1_000 + MEASURED_BYTES))


@pytest.mark.parametrize(
    ("told", "share"),
    [
        ({}, 0.0),
        ({"reports": 0}, None),
        ({"bytes": MEASURED_BYTES - 1}, None),
        ({"holes": 1}, None),
        ({"reports": 0, "dropped": 200}, pytest.approx(1 / 6)),
    ],
    ids=["told", "no report", "hardly any TCP", "records thrown away", "known to be high"],
)
def test_loss_that_nobody_measured_is_unknown(told: dict[str, float], share: float | None) -> None:
    """No report, hardly any TCP or lost records: not zero but unknown; a high loss is known all the same."""
    assert Loss([row("main", 0, **{**TOLD, **told})]).share("main", NINE, NINE) == share


def test_nothing_is_known_of_what_no_row_tells() -> None:
    """A site, or a time, without any row has no share."""
    loss = Loss([row("main", 0, **TOLD)])
    assert loss.share("annex", NINE, NINE) is None
    assert loss.share("main", NINE + timedelta(minutes=6), NINE + timedelta(minutes=7)) is None


def test_rows_of_the_store_are_counted(scribe: Scribe) -> None:
    """Drops come from health, missed bytes from TCP alone, thrown-away records make it unknown."""
    scribe.flow(0, "10.20.0.10", "203.0.113.10", bytes_down=90_000, lost=900)
    scribe.flow(0, "10.20.0.10", "203.0.113.10", protocol=17, bytes_down=9_000_000)
    scribe.health(10, 990, 10)
    scribe.write()
    share = Loss.between(scribe.store, at(0), at(60)).share("demo", at(0), at(60))
    assert share == pytest.approx(0.01)
    scribe.health(20, 1_000, 0, outbox_lost=5)
    scribe.write()
    assert Loss.between(scribe.store, at(0), at(60)).share("demo", at(0), at(60)) is None
