"""What had its name in sight, by the minute."""

from typing import Any

from pipeline.store import migrate
from pipeline.store.client import Store
from tests.pipeline.batches import MORNING_US, batch

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


def test_sums_equal_the_flows() -> None:
    """Rows sent twice count once; what was stored before is summed by the migration, however often."""
    with Store("chdb://:memory:/sight", FOR_EVER) as store:
        store.migrate()
        for seed in (1, 2, 2):
            store.insert("flows", batch("flows", 100, seed, MORNING_US), f"{seed}")
        flows = store.rows(SIGHTS)
        assert len(flows) > 1
        assert summed(store) == flows
        [sight] = [m for m in migrate.read_migrations() if m.name == "0025_sight.sql"]
        for stop in (4, len(sight.statements)):
            for statement in sight.statements[:stop]:
                store.command(statement)
        assert summed(store) == flows
