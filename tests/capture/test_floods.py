"""Memory under floods: what was configured, whoever sends, and no more with time."""

import multiprocessing

import numba
import numpy as np
import pytest

from benchmarks.floods import BLOCK, FLOODS, SOURCE, SOURCE_PORT, Measured, measure, scatter
from tests.capture.packets import hello_message, server_name, udp
from tests.capture.quic_packets import crypto, initial

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="is about compiled kernels"),
]

PACKETS, FLOWS = 1_000_000, 16_384
#: MB between half and end, when everything has been full for long; measured: 0.1.
CREEP_MB = 8
#: Connection ids among the Initials.
HANDSHAKES = 128


def half_initials(chance: np.random.Generator, number: int) -> np.ndarray:
    """QUIC Initials with the first part of a hello whose rest never comes, each of another client."""
    half = crypto(0, hello_message(server_name(b"www.example.org"))[:60])
    made = [
        udp(initial(half, dcid=number.to_bytes(8, "big")), 40_000, 443)
        for number in chance.integers(0, 1 << 62, HANDSHAKES).tolist()
    ]
    packed = np.frombuffer(b"".join(made), np.uint8).reshape(HANDSHAKES, -1)
    frames = packed[np.arange(BLOCK) % HANDSHAKES]
    scatter(frames, chance, SOURCE, 4)
    scatter(frames, chance, SOURCE_PORT, 2)
    return frames


LOADS = (*FLOODS, "initial")


def measured(name: str) -> Measured:
    """The load's cost; for a process of its own."""
    FLOODS["initial"] = half_initials
    return measure(name, PACKETS, FLOWS)


@pytest.mark.parametrize("name", LOADS)
def test_memory_is_what_was_configured(name: str) -> None:
    """A million packets of a flood take no more memory than the sensor's arrays, and none as they go on."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        told = pool.apply(measured, (name,))
    first, half, end = told.resident_mb
    assert end - first <= told.table_mb
    assert end - half <= CREEP_MB
    assert told.rows > 0
