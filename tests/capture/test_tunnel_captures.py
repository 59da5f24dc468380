"""Real captures of tunnels, where they are at hand: tshark counts the same flows, packets and bytes."""

import os
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import counted
from benchmarks.agreement import CAPTURES, capture_paths, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1_800),
    pytest.mark.skipif(
        not (CAPTURES / "pcap").is_dir(), reason="no folder of real captures; set REAL_CAPTURES"
    ),
]

#: Parts of the names of captures whose packets are inside of something.
CARRIED = (
    "6in", "/eoip/", "/geneve/", "/gre/", "/gtpu/", "/ip_encapsulation/", "/linux_cooked/", "/llc_snap/",
    "/macsec/", "/mpls", "/pbb/", "/pppoe/", "/vxlan/", "/tunnels/", "bigtcp-", "capwap", "erspan", "gso-",
    "gtp", "l2tp", "nsh", "ppp", "vlan", "vntag", "wccp",
)  # fmt: skip
#: The larger ones would take minutes.
LARGEST = 200_000
KINDS = ("frames", "flows", "packets", "bytes")
#: Least share that is the same. tshark enters headers of versions that there are not, enters no packet longer
#: than 64 KiB, does not find what every pseudowire or L2TP session carries, undoes the compression of TCP
#: headers, reads what is cut off, and tells the ports of no fragment whose datagram never was whole.
SAME = {"frames": 1.0, "flows": 0.93, "packets": 0.97, "bytes": 0.96}


def test_counts_of_what_is_carried_are_tsharks() -> None:
    """Over captures of every tunnel frames agree all; flows, packets and bytes but for what is told above."""
    kept = Path(os.environ.get("PYTEST_TSHARK", counted.cache_folder()))
    found: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    differences = []
    for path in capture_paths(CAPTURES):
        if not any(part in path.lower() for part in CARRIED):
            continue
        if (CAPTURES / "pcap" / path).stat().st_size > LARGEST:
            continue
        part = run(CAPTURES, KINDS, path, kept)
        if part.without_counts:
            pytest.skip(part.without_counts)
        for kind in KINDS:
            if kind in part.tallies:
                found[kind] += part.tallies[kind].counts["found"]
                wanted[kind] += part.tallies[kind].wanted
                differences += [f"{kind} {d.path}: {d.outcome.what}" for d in part.tallies[kind].differences]
    print("\n".join(differences))
    assert wanted["frames"] > 100
    for kind, least in SAME.items():
        assert found[kind] / wanted[kind] >= least, (kind, found[kind], wanted[kind])
