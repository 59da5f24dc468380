"""The sensor's memory: sizes from the settings, all of it there from the start."""

import itertools

import numpy as np
import pytest

from capture.flows import FLOW
from capture.questions import PACKET_ROWS
from capture.table import ANSWERS, QUESTIONS, REMEMBERED_FRAMES, REMEMBERED_SIGHTINGS, Table, new_table
from pipeline.settings import SensorSettings
from pipeline.words import LINE


@pytest.mark.parametrize("flows", [1_024, 1_025, 5_000])
def test_sizes(flows: int) -> None:
    """There are as many records as asked for, and a power of two of buckets at least as large."""
    table = new_table(SensorSettings(flows=flows, heads=20, batch_rows=123), 1, 2)
    assert (len(table.flows), len(table.slots), len(table.free)) == (flows, flows, flows)
    assert len(table.buckets) >= flows
    assert len(table.buckets) & (len(table.buckets) - 1) == 0
    assert (len(table.heads), len(table.head_data), len(table.runs), len(table.free_heads)) == (
        20,
        20,
        20,
        20,
    )
    assert len(table.flow_rows) == len(table.sighting_rows) == 123
    assert len(table.dns_rows) == 123 + PACKET_ROWS


@pytest.mark.parametrize("size", [QUESTIONS, ANSWERS, REMEMBERED_FRAMES, REMEMBERED_SIGHTINGS])
def test_masked_sizes_are_powers_of_two(size: int) -> None:
    """Tables that are indexed by a masked hash have a power of two of places."""
    assert size & (size - 1) == 0


def test_a_packet_of_a_connection_touches_three_lines_of_its_flow() -> None:
    """Records begin at a cache line; what each packet needs stands in the three that are asked for ahead."""
    table = new_table(SensorSettings(flows=1_024, heads=16), 1, 2)
    assert FLOW.itemsize % LINE == 0
    assert table.flows.ctypes.data % LINE == 0
    places = {name: part[1] for name, part in (FLOW.fields or {}).items()}
    hot = (
        "application",
        "watch",
        "hello",
        "history",
        "done",
        "head",
        "head_down",
        "lost",
        "asked",
        "row_start",
    )
    assert max(places[name] for name in hot) < 3 * LINE


def test_everything_is_free() -> None:
    """A new table has no flow, no head and no bucket in use; each record is free once."""
    table = new_table(SensorSettings(flows=1_024, heads=16), -(2**63), 2**63 - 1)
    meter = table.meter[0]
    assert (meter.seed, meter.boot) == (-(2**63), 2**63 - 1)
    assert sorted(table.free.tolist()) == list(range(1_024))
    assert sorted(table.free_heads.tolist()) == list(range(16))
    assert (meter.flows_free, meter.heads_free, meter.now) == (1_024, 16, -1)
    assert (table.buckets == -1).all()
    assert (table.question_buckets == -1).all()
    assert (table.heads["flow"] == -1).all()


def test_settings_reach_the_kernels() -> None:
    """Idle and duplicate times stand in the table in µs."""
    settings = SensorSettings(flows=1_024, heads=16, idle_tcp_s=7, idle_udp_s=3, duplicate_us=99)
    meter = new_table(settings, 1, 2).meter[0]
    assert (meter.idle_tcp, meter.idle_udp, meter.duplicate_us) == (7_000_000, 3_000_000, 99)


def test_records_lie_apart() -> None:
    """No two arrays of a table share memory."""
    table = new_table(SensorSettings(flows=1_024, heads=16), 1, 2)
    spans = []
    for name in Table.__annotations__:
        low, high = np.lib.array_utils.byte_bounds(getattr(table, name))
        spans.append((low, high, name))
    spans.sort()
    for (_, end, first), (start, _, second) in itertools.pairwise(spans):
        assert end <= start, (first, second)
