"""The ledger tells two stores apart where one value differs, and not by the order or time of the work."""

from pathlib import Path

import pytest

from tests.faults.ledger import Held, differences, ledger, sums
from tests.pipeline.batches import batch
from tests.pipeline.stores import made_store


def held(folder: Path, *batches: tuple[int, int], times: int = 1) -> dict[str, Held]:
    """The ledger of a store with flows of these (rows, seed), each inserted under a token of its own."""
    with made_store(folder) as store:
        for number, (rows, seed) in enumerate(batches):
            for time in range(times):
                store.insert(
                    "flows", batch("flows", rows, seed), f"{number}" if times == 1 else f"{number} {time}"
                )
        assert sums(store)["flows"] == times * sum(rows for rows, _ in batches)
        return ledger(store)


def test_order_makes_no_difference(tmp_path: Path) -> None:
    """The same rows in another order, in other blocks, are the same in every table and rollup."""
    one = held(tmp_path / "one", (300, 1), (200, 2))
    assert differences(one, held(tmp_path / "other", (200, 2), (300, 1))) == []
    assert one["flows"].rows == 500
    assert one["traffic_1m"].rows > 100


@pytest.mark.parametrize("batches", [[(300, 1)], [(300, 1), (200, 3)], [(300, 1), (199, 2)]])
def test_other_rows_are_told(batches: list[tuple[int, int]], tmp_path: Path) -> None:
    """Rows that are missing or others are told, table by table, with what fed on them."""
    one = held(tmp_path / "one", (300, 1), (200, 2))
    told = differences(one, held(tmp_path / "other", *batches))
    assert any(line.startswith("flows: ") for line in told)
    assert any(line.startswith("traffic_1m: ") for line in told)


def test_doubled_rows_are_told(tmp_path: Path) -> None:
    """Rows that came twice are more rows, and sums that are not the same."""
    one = held(tmp_path / "one", (100, 1))
    told = differences(one, held(tmp_path / "other", (100, 1), times=2))
    assert "flows: 200 rows instead of 100" in told
    assert any(line.startswith("traffic_1m: ") and line.endswith("not the same") for line in told)
