"""The sensor of the faults: the same batches under the same names, whenever it is started."""

import contextlib
from pathlib import Path

import pytest

from pipeline.stream.log import Log
from tests.faults.feed import BOOT, SENSOR, feed, lost_row, plan

pytestmark = pytest.mark.slow


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """Ended in the middle and started again it appends what is missing; a third time, nothing."""
    made = plan(3_000, 500)
    with contextlib.closing(Log(tmp_path / "log", 1 << 30)) as log:
        log.register("relay")
        some = feed(log, made, 0)
        rows = next(some) + next(some)
        some.close()
        assert log.highest(SENSOR, BOOT) == 1
        rows += sum(feed(log, made, 0))
        assert rows > 3_000
        assert log.highest(SENSOR, BOOT) == len(made) - 1
        assert list(feed(log, made, 0)) == []


def test_it_says_what_the_bound_threw_away(tmp_path: Path) -> None:
    """Past the bound the last batch is a report with the number of records that went."""
    made = plan(40_000, 2_000)
    with contextlib.closing(Log(tmp_path / "log", 1 << 20)) as log:
        log.register("relay")
        list(feed(log, made, 0))
        lost = log.totals()["lost_records"]
        assert lost > 10_000
        assert log.highest(SENSOR, BOOT) == len(made)
    assert lost_row(lost)["outbox_lost"].to_pylist() == [lost]
