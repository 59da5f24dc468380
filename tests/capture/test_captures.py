"""Real captures, where they are at hand: what other programs count, name and conclude, the sensor does."""

from collections import Counter
from functools import cache
from pathlib import Path

import dpkt
import pytest

from benchmarks.agreement import CAPTURES, COUNTS, Report, capture_paths, explained, run
from benchmarks.sensed import sense

pytestmark = [
    pytest.mark.slow,
    # The first test of all compares every capture.
    pytest.mark.timeout(1_800),
    pytest.mark.skipif(
        not (CAPTURES / "pcap").is_dir(), reason="no folder of real captures; set REAL_CAPTURES"
    ),
]

#: Kinds of names, of which at least this share is found, and of those said at most this share is wrong.
NAMES = ("sni", "quic_sni", "http", "dns", "dhcp", "dhcpv6", "lldp", "cdp", "ssdp")
FOUND, WRONG = 0.995, 0.001
#: Least share of flows that agree (docs/agreement.md has what is reached).
FLOWS = {
    "conn_state": 0.97, "originator": 0.97, "missed_bytes": 0.98, "service": 0.95, "application": 0.95,
    "ja4": 0.99, "suricata": 0.99, "beacon": 0.99, "arp": 0.93,
}  # fmt: skip


@cache
def report() -> Report:
    """Everything that needs no tshark, compared once."""
    return run(CAPTURES, (*NAMES, *FLOWS))


@pytest.mark.parametrize("kind", NAMES)
def test_names_are_those_of_tshark(kind: str) -> None:
    """Names of hellos, requests, questions and devices are found, flow by flow, and no others are said."""
    tally = report().tallies[kind]
    assert tally.wanted > 10
    assert tally.found_share >= FOUND, explained(tally)
    assert tally.wrong_share <= WRONG, explained(tally)


@pytest.mark.parametrize("kind", FLOWS)
def test_flows_are_those_of_the_others(kind: str) -> None:
    """Zeek's states, openers, losses and services, nDPI's applications and fingerprints are the sensor's."""
    tally = report().tallies[kind]
    assert tally.wanted > 20
    assert tally.found_share >= FLOWS[kind], explained(tally)


def test_every_capture_can_be_read() -> None:
    """No capture is refused, however it was damaged."""
    assert report().unreadable == []


def test_frames_flows_packets_and_bytes_are_tsharks(tmp_path: Path) -> None:
    """Of some captures of each source, tshark counts the same; what differs has its reason in the table."""
    chosen = capture_paths(CAPTURES)[::40]
    counts: Counter[str] = Counter()
    unexplained = []
    for path in chosen:
        part = run(CAPTURES, COUNTS, path, tmp_path)
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
    """Whatever the link layer, each frame of a pcap file is counted, with all its bytes."""
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
