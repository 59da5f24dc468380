"""What is compiled ahead of time is what runs later."""

import numba
import pytest

from capture.sources.classic import walk_records
from capture.sources.pcapng import walk_blocks
from capture.sources.warm import warm_sources
from tests.capture.sources.made import Packet, pcap, pcapng, read


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_nothing_is_left_to_compile():
    """After warming, reading captures of either format and byte order compiles no further variant."""
    warm_sources()
    before = [len(walk.signatures) for walk in (walk_records, walk_blocks)]
    packets = [Packet(1, b"a", 1)]
    for order in "<>":
        assert read(pcap(packets, order=order))[0] == packets
        assert read(pcapng(packets, order=order))[0] == packets
    assert [len(walk.signatures) for walk in (walk_records, walk_blocks)] == before
