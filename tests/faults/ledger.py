"""What a store holds, as numbers that two stores have in common only where they hold the same.

Of each table: its rows, and the sum of their hashes, whatever their order. Tables that are merged are read as
merged. Left out is when something came in, was judged or was written: that differs from run to run.
"""

from typing import NamedTuple

from pipeline.store.client import Store

#: Tables about the process itself: when it was migrated, judged, looked at, and with which lists.
LEFT_OUT_TABLES = ("access_log", "inventory", "judged", "lists", "policies", "schema_migrations")
#: Columns that hold the time of the work, and the digest of a message as it was sent: sensors of different
#: versions say the same in other bytes.
LEFT_OUT_COLUMNS = ("arrived", "finished", "inserted", "sha256", "stored", "updated")
#: Rows that count, where not all do: what an early round says and a later one withdraws depends on the time.
COUNTED = {"findings": "withdrawn = ''"}
TABLES = """
SELECT name, engine NOT IN ('MergeTree', 'ReplicatedMergeTree') AS merged FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND name NOT IN {left_out:Array(String)}
ORDER BY name
"""
COLUMNS = """
SELECT name FROM system.columns
WHERE database = currentDatabase() AND table = {table:String} AND default_kind NOT IN ('ALIAS', 'EPHEMERAL')
  AND name NOT IN {left_out:Array(String)}
ORDER BY position
"""
SUMS = """
SELECT
    (SELECT sum(rows) FROM (SELECT rows FROM batches LIMIT 1 BY sensor, boot, sequence, part)) AS rows,
    count() AS flows, sum(bytes_up + bytes_down) AS bytes, sum(packets_up + packets_down) AS packets,
    (SELECT count() FROM findings FINAL WHERE withdrawn = '') AS findings,
    (SELECT sum(outbox_lost) FROM health) AS lost
FROM flows
"""


class Held(NamedTuple):
    """What a table holds."""

    rows: int
    digest: int
    """Sum of the hashes of its rows."""


def ledger(store: Store, only: str = "") -> dict[str, Held]:
    """Every table's rows and digest; of one table alone with `only`."""
    found: dict[str, Held] = {}
    for table in store.rows(TABLES, {"left_out": list(LEFT_OUT_TABLES)}):
        name = table["name"]
        if only and name != only:
            continue
        given = {"table": name, "left_out": list(LEFT_OUT_COLUMNS)}
        columns = ", ".join(f"`{row['name']}`" for row in store.rows(COLUMNS, given))
        final = " FINAL" if table["merged"] else ""
        digest = f"sum(cityHash64(toString(tuple({columns}))))"
        counted = f" WHERE {COUNTED[name]}" if name in COUNTED else ""
        [row] = store.rows(f"SELECT count() AS `#rows`, {digest} AS `#digest` FROM `{name}`{final}{counted}")
        found[name] = Held(int(row["#rows"]), int(row["#digest"] or 0))
    return found


def differences(wanted: dict[str, Held], found: dict[str, Held]) -> list[str]:
    """A line for each table in which the two differ; none where they are the same."""
    lines = []
    for table in sorted(wanted.keys() | found.keys()):
        one, other = wanted.get(table), found.get(table)
        if one == other:
            continue
        if one is None or other is None or one.rows != other.rows:
            counts = [held.rows if held else "no" for held in (other, one)]
            lines.append(f"{table}: {counts[0]} rows instead of {counts[1]}")
        else:
            lines.append(f"{table}: {one.rows} rows, but not the same")
    return lines


def sums(store: Store) -> dict[str, int]:
    """Rows of all kinds that came in, flows with their bytes and packets, findings, records declared lost."""
    return {name: int(value) for name, value in store.rows(SUMS)[0].items()}
