"""Messages inserted and not noted when an upgrade makes views anew: all sums would take them twice."""

from pipeline.store import migrate
from pipeline.store.client import Store
from pipeline.stream.message import Message, decode
from pipeline.stream.source import Source

NOTED = """
SELECT count() AS n FROM batches
WHERE sensor = {sensor:String} AND boot = {boot:String} AND sequence = {sequence:UInt64}
"""
THERE = """
SELECT count() AS n FROM flows
WHERE start = fromUnixTimestamp64Micro({start:Int64}, 'UTC') AND sensor = {sensor:String}
    AND client_port = {client_port:UInt16} AND server_port = {server_port:UInt16}
    AND protocol = {protocol:UInt8}
"""


def refuse_doubtful(source: Source, store: Store) -> None:
    """Before the tables are brought up to date: raises OSError where what waits first in this folder's log
    is in the store and not noted. Of topics nothing is known here (docs/upgrade.md)."""
    if source.shared or not migrate.remakes_views(store.rows):
        return
    source.open()
    for portion in source.take(0.0):
        for message in portion.messages:
            if portion.records != "flows" or not message.rows or _asked(store, NOTED, _name(message)):
                continue
            try:
                row = _first_row(message)
            except ValueError:
                # The worker sets it aside.
                continue
            if not _asked(store, THERE, row):
                # What comes after it was not begun.
                return
            raise OSError(
                f"cannot bring the tables up to date: message {message.token} is in the store and not noted, "
                "and would count twice in all sums; start the version before this one until the log is empty"
            )


def _name(message: Message) -> dict[str, object]:
    return {"sensor": message.sensor, "boot": message.boot, "sequence": message.sequence}


def _first_row(message: Message) -> dict[str, object]:
    batch = decode(message)
    names = ("sensor", "client_port", "server_port", "protocol")
    values = {name: batch[name][0].as_py() for name in names}
    return values | {"start": batch["start"][0].value}


def _asked(store: Store, sql: str, parameters: dict[str, object]) -> bool:
    [row] = store.rows(sql, parameters)
    return bool(row["n"])
