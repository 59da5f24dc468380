"""What had its name in sight, by the minute."""

from pathlib import Path
from typing import Any

from pipeline.store.client import Store
from tests.pipeline.batches import MORNING_US, batch
from tests.pipeline.store.earlier import cut_short, insert_as_before, migrated

FOR_EVER = {"raw_days": 0, "summary_days": 0}

SIGHTS = """
SELECT toString(sight) AS sight, sum(bytes_up + bytes_down) AS bytes, countIf(start = first) AS flows
FROM flows GROUP BY sight ORDER BY sight
"""


def summed(store: Store) -> list[dict[str, Any]]:
    return store.rows(
        "SELECT toString(sight) AS sight, sum(sight_1m.bytes) AS bytes, sum(sight_1m.flows) AS flows"
        " FROM sight_1m GROUP BY sight ORDER BY sight"
    )


def test_sums_equal_the_flows(tmp_path: Path) -> None:
    """Rows sent twice count once; what was stored before is summed by the migration, however often."""
    with Store("chdb://:memory:/sight", FOR_EVER) as store:
        migrated(store, "0025", tmp_path)
        insert_as_before(store, "flows", batch("flows", 100, 0, MORNING_US), "0")
        cut_short(store, "0025")
        store.migrate()
        assert summed(store) == store.rows(SIGHTS)
        for seed in (1, 2, 2):
            store.insert("flows", batch("flows", 100, seed, MORNING_US), f"{seed}")
        flows = store.rows(SIGHTS)
        assert len(flows) > 1
        assert summed(store) == flows
