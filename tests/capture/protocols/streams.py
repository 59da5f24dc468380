"""Random bytes for readers and watchers that are called one by one, uncompiled."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from capture.protocols.outcomes import BEYOND, DONE, MORE, NOT
from pipeline.records import APPLICATIONS
from tests.capture.packets import ACK, PSH, Conversation, rows_of, small_table

FLOW = 5


def octets(*likely: bytes) -> st.SearchStrategy[bytes]:
    """Bytes that begin, or go on, with likely ones, changed here and there."""
    pieces = st.one_of(st.sampled_from(likely), st.binary(max_size=24))
    return st.lists(pieces, max_size=5).map(b"".join).flatmap(_changed)


def _changed(data: bytes) -> st.SearchStrategy[bytes]:
    if not data:
        return st.just(data)
    change = st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255))
    return st.lists(change, max_size=2).map(lambda changes: _with(data, changes))


def _with(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    made = bytearray(data)
    for at, octet in changes:
        made[at] = octet
    return bytes(made)


def fresh_flow(application: str = "", **fields: int) -> Any:
    """The record of flow `FLOW`, as a new flow has it but for some fields."""
    table = small_table()
    table.flows[FLOW] = np.zeros(1, table.flows.dtype)[0]
    flow = table.flows[FLOW]
    flow.head = flow.head_down = flow.http_status = flow.base_up = flow.base_down = -1
    flow.application = APPLICATIONS.index(application)
    for name, value in fields.items():
        flow[name] = value
    table.slots[FLOW] = 7
    return flow


def read(reader: Callable[..., int], data: bytes, final: bool = False) -> int:
    """Outcome of a reader over the bytes, as the last ones of a larger buffer, checked for what must hold."""
    table = small_table()
    others = np.delete(table.slots, FLOW, axis=0).copy()
    buf = np.frombuffer(b"\x16\x03" + data, np.uint8)
    outcome = int(reader(table, buf, 2, len(buf), int(final), FLOW))
    assert outcome in (NOT, DONE, MORE) or outcome >= BEYOND + 2
    assert not (final and outcome == MORE)
    assert (np.delete(table.slots, FLOW, axis=0) == others).all()
    assert 0 <= table.flows[FLOW].name_len <= 255
    return outcome - 2 if outcome >= BEYOND else outcome


def counted(port: int, turns: Sequence[bytes], size: int = 9_999) -> tuple[int, int]:
    """(log-ins, refused ones) of a connection whose sides speak in turn, the client first; b"" is silence."""
    talk = Conversation(dport=port, step=1_000).open()
    for number, said in enumerate(turns):
        for at in range(0, len(said), size):
            (talk.down if number % 2 else talk.up)(ACK | PSH, said[at : at + size])
    rows = rows_of(talk.packets).flows
    return sum(row["logins"] for row in rows), sum(row["logins_failed"] for row in rows)


def watched(
    watcher: Callable[..., None], segments: Sequence[tuple[int, bytes]], **fields: int
) -> tuple[int, int]:
    """(log-ins, refused ones) that a watcher counts over segments, each behind 1 from the client, else 0."""
    flow = fresh_flow(**{"watch": 1, "protocol": 6} | fields)
    for up, data in segments:
        buf = np.frombuffer(b"\xff" * 8 + data, np.uint8)
        if data:
            watcher(buf, 8, len(buf), up, flow)
    assert 0 <= flow.logins_failed <= flow.logins <= len(segments) * 8
    return int(flow.logins), int(flow.logins_failed)


def segments(*likely: bytes) -> st.SearchStrategy[list[tuple[int, bytes]]]:
    """Segments of both sides for `watched`."""
    return st.lists(st.tuples(st.integers(0, 1), octets(*likely)), max_size=6)
