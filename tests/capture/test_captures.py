"""Real captures, where they are at hand: what other programs count, name and conclude, the sensor does."""

import os
from collections import Counter
from functools import cache
from pathlib import Path

import dpkt
import pytest

from benchmarks import counted
from benchmarks.agreement import CAPTURES, COUNTS, Report, capture_paths, explained, run
from benchmarks.sensed import sense

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CAPTURES / "pcap").is_dir(), reason="no folder of real captures; set REAL_CAPTURES"
    ),
]

#: Least share found of what the others say, most share said by the sensor alone (docs/agreement.md).
NAMES = {"sni": (0.87, 0.005), "http": (0.92, 0.02), "dns": (0.92, 0.02), "dhcp": (0.995, 0.001)}
#: Least share of flows that agree.
FLOWS = {"conn_state": 0.05, "originator": 0.97, "application": 0.93}


@cache
def report() -> Report:
    """Everything that needs no tshark, compared once."""
    return run(CAPTURES, (*NAMES, *FLOWS))


@pytest.mark.parametrize("kind", NAMES)
def test_names_are_those_of_tshark(kind: str) -> None:
    """Names of hellos, requests, questions and devices are found, flow by flow, and no others are said."""
    tally = report().tallies[kind]
    found, wrong = NAMES[kind]
    assert tally.wanted > 20
    assert tally.found_share >= found, explained(tally)
    assert tally.wrong_share <= wrong, explained(tally)


@pytest.mark.parametrize("kind", FLOWS)
def test_flows_are_those_of_zeek_and_ndpi(kind: str) -> None:
    """Connections have Zeek's state and opener, and flows nDPI's application where both name one."""
    tally = report().tallies[kind]
    assert tally.wanted > 50
    assert tally.found_share >= FLOWS[kind], explained(tally)


def test_every_capture_can_be_read() -> None:
    """No capture is refused, however it was damaged."""
    assert report().unreadable == []


def test_frames_flows_packets_and_bytes_are_tsharks() -> None:
    """Of some captures of each source, tshark counts the same; what differs has its reason in the table."""
    chosen = capture_paths(CAPTURES)[::40]
    counts: Counter[str] = Counter()
    unexplained = []
    kept = Path(os.environ.get("PYTEST_TSHARK", counted.cache_folder()))
    for path in chosen:
        part = run(CAPTURES, COUNTS, path, kept)
        if part.without_counts:
            pytest.skip(part.without_counts)
        for kind, tally in part.tallies.items():
            counts[kind] += tally.counts["found"]
            unexplained += [
                f"{kind} {d.path}: {d.outcome.what}" for d in tally.differences if not d.reason.why
            ]
    assert counts["frames"] > 30
    assert unexplained == []


def test_frames_and_their_bytes_are_dpkts() -> None:
    """Whatever the link layer, each frame of a pcap file is counted with its length on the wire."""
    compared = 0
    for path in capture_paths(CAPTURES)[::7]:
        file = CAPTURES / "pcap" / path
        try:
            with file.open("rb") as opened:
                lengths = [len(frame) for _, frame in dpkt.pcap.Reader(opened)]
        except (ValueError, dpkt.Error, EOFError, OSError):
            continue
        sensed = sense(file)
        if sensed.truncated:
            continue
        compared += 1
        assert sensed.health["packets"] == len(lengths), path
        assert sensed.health["bytes"] >= sum(lengths), path
    assert compared > 100
