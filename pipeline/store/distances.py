"""Flows as their table keeps them: what a row says twice becomes a distance from a column beside it.

The table has the columns of the contract as aliases (`migrations/0033_flow_aliases.sql`).
"""

import numpy as np
import pyarrow as pa

#: Columns of the contract that are not stored, and those that stand for them.
STORED = {
    "end": "lasted",
    "first": "since_first",
    "payload_up": "framing_up",
    "payload_down": "framing_down",
    "acked_down": "unacked_down",
}
#: IANA's number of TCP: the only one here that acknowledges.
TCP = 6


def as_stored(flows: pa.Table) -> pa.Table:
    """The rows with `lasted`, `since_first` (µs), `framing_up`, `framing_down` and `unacked_down` (bytes).

    Integers wrap as the engine's do, so that what is read is what was given, whatever it is. A time that is
    not given is that of `start`; a count is 0.
    """
    given = set(flows.schema.names)
    distances: dict[str, np.ndarray] = {}
    if "end" in given:
        distances["lasted"] = _numbers(flows, "end") - _numbers(flows, "start")
    if "first" in given:
        distances["since_first"] = _numbers(flows, "start") - _numbers(flows, "first")
    for way in ("up", "down"):
        if given & {f"bytes_{way}", f"payload_{way}"}:
            distances[f"framing_{way}"] = _numbers(flows, f"bytes_{way}") - _numbers(flows, f"payload_{way}")
    if given & {"payload_down", "acked_down"}:
        payload = np.where(_numbers(flows, "protocol") == TCP, _numbers(flows, "payload_down"), 0)
        distances["unacked_down"] = payload - _numbers(flows, "acked_down")
    stored = flows.select([name for name in flows.schema.names if name not in STORED])
    for name, values in distances.items():
        stored = stored.append_column(name, pa.array(values))
    return stored


def _numbers(flows: pa.Table, name: str) -> np.ndarray:
    """A column as int64, wrapped; zeros where there is none."""
    if name not in flows.schema.names:
        return np.zeros(flows.num_rows, np.int64)
    column = flows[name].combine_chunks()
    array = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_timestamp(array.type):
        array = array.view(pa.int64())
    return array.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
