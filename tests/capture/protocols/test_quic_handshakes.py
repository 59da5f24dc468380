"""The pool of QUIC handshakes under way."""

import pytest

from capture.protocols.quic_handshakes import WAYS, take_handshake
from tests.capture.packets import SECOND, T0, block, rows_of, small_sensor
from tests.capture.protocols.test_quic import LARGE, split, whole
from tests.capture.quic_packets import Exchange


@pytest.mark.compiled
def test_flood_of_halves() -> None:
    """Halves of hellos fill the pool and no more, counted: whole ones are still read."""
    half, rest = split(LARGE, [1_000])
    sensor = small_sensor(heads=16)
    flood = [
        Exchange(client=f"10.9.{n >> 8}.{n & 255}", ts=T0 + n).up(whole(half)).packets[0] for n in range(400)
    ]
    good = [Exchange(client=f"10.8.0.{n}", ts=T0 + 1_000 + n).up(whole()).packets[0] for n in range(50)]
    got = list(sensor.feed(block([*flood, *good])))
    meter = sensor.table.meter[0]
    assert meter.heads_refused >= 400 - 16
    assert meter.heads_peak <= 16
    got += sensor.finish()
    names = [name for kind, batch in got if kind == "flows" for name in batch["server_name"].to_pylist()]
    assert names.count("www.example.org") == 50
    # Three seconds later the pool is free again.
    late = Exchange(client="10.7.0.1", ts=T0 + 20_000_000).up(whole(half)).up(whole(rest, number=1))
    names = {row["client"]: row["server_name"] for row in rows_of([*flood, *late.packets], heads=16).flows}
    assert names["10.7.0.1"] == "www.example.org"


@pytest.mark.compiled
def test_interleaved() -> None:
    """Many hellos in two packets each, all at once, are all named where there is room."""
    half, rest = split(LARGE, [1_000])
    talks = [Exchange(client=f"10.8.0.{n}", ts=T0 + n) for n in range(40)]
    firsts = [talk.up(whole(half)).packets[0] for talk in talks]
    seconds = [talk.up(whole(rest, number=1)).packets[1] for talk in talks]
    got = rows_of(firsts + seconds, heads=40 * WAYS)
    assert [row["server_name"] for row in got.flows] == ["www.example.org"] * 40


@pytest.mark.uncompiled
@pytest.mark.parametrize("later", [4 * SECOND, -3_600 * SECOND])
def test_places_are_for_seconds(later: int) -> None:
    """A half hello's place is another's once seconds passed, or once the clock was set back."""
    table = small_sensor(heads=16).table
    flow = table.flows[0]
    for serial in range(400):
        flow.serial = serial
        if (k := take_handshake(table, flow, T0)) >= 0:
            table.handshakes[k].confirmed = 1
    assert all(table.handshakes[:-1].serial > 0)
    assert take_handshake(table, flow, T0 + SECOND) < 0
    assert take_handshake(table, flow, T0 + later) >= 0
