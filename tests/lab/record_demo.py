"""Records the bundled capture: some minutes of a school day in the lab, seen at the mirror port.

`python -m tests.lab.record_demo -o spanwatch/data/demo.pcap.zst` as root. Beside the capture it writes
`demo.truth.json`: what was done, by whom, from when to when, and what should be found out about it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import network, plan, servers, shrink, traffic
from tests.lab.network import Lab, mac_for
from tests.lab.school_day import BEHIND_NAT, ROGUE, ROSTER, SECONDS, Act, Scenario, whole_day

TRUTH_VERSION = 1


@dataclass
class Recording:
    """The acts' outcome, filled in as they end."""

    scenarios: list[Scenario] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def go_online(lab: Lab) -> None:
    """Every host of the roster asks for its address; raises TimeoutError when one gets none."""
    for name, (_, address, system, _) in ROSTER.items():
        got = traffic.lease(lab, name, system)
        if got != address:
            raise TimeoutError(f"{name} got {got or 'no address'} by DHCP, {address} was kept for it")


def play(lab: Lab, acts: list[Act], log: Callable[[str], None]) -> Recording:
    """Runs the timetable, each act in its thread, and waits for the last to end."""
    recording = Recording()
    begin = time.monotonic()

    def perform(act: Act) -> None:
        scenario = act.scenario
        start = time.time_ns() // 1000
        try:
            said = act.run(lab)
        except Exception as error:
            recording.failures.append(f"{scenario.id if scenario else 'lesson'}: {error!r}"[:300])
            said = ""
        if scenario:
            host = lab.hosts[scenario.host]
            scenario.start, scenario.end = start, time.time_ns() // 1000
            scenario.vlan, scenario.mac = (host.vlan.number if host.vlan else 0), host.mac
            scenario.address = lab.address(scenario.host) or ""
            scenario.result = said.strip() if isinstance(said, str) else ""
            recording.scenarios.append(scenario)
            log(f"{time.monotonic() - begin:5.0f} s  {scenario.id}")

    threads = []
    for act in sorted(acts, key=lambda act: act.at):
        time.sleep(max(0.0, begin + act.at - time.monotonic()))
        thread = threading.Thread(target=perform, args=(act,))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    time.sleep(max(0.0, begin + SECONDS - time.monotonic()))
    return recording


def record(raw: Path, log: Callable[[str], None]) -> tuple[Recording, dict[str, Any]]:
    """Builds the school, plays the day and writes what the mirror port showed to `raw` (pcap)."""
    with Lab() as lab:
        log("building the network and its servers")
        reservations = {mac_for(name): entry[1] for name, entry in ROSTER.items()}
        servers.start_school(lab, reservations)
        traffic.make_video(lab, SECONDS)
        for name, (vlan, _, system, ipv6) in ROSTER.items():
            lab.host(name, vlan, ipv6=ipv6)
            traffic.set_system(lab, name, system)
        lab.host(ROGUE[0], "students", address=ROGUE[1])
        traffic.plug_in_nat_router(lab, "Archer-C6", BEHIND_NAT)
        tap = lab.start(
            "sensor",
            ["tcpdump", "-Z", "root", "-i", lab.mirror, "-B", "65536", "-s", "0", "-w", str(raw)],
            "tap.log",
        )
        time.sleep(1)
        log("hosts go online")
        go_online(lab)
        log(f"recording {SECONDS} s")
        recording = play(lab, whole_day(), log)
        lab.stop(tap)
        tap_says = (lab.path / "tap.log").read_text()
        hosts = {
            name: {
                "vlan": host.vlan.number,
                "group": host.vlan.name,
                "mac": host.mac,
                "address": lab.address(name),
                "address6": lab.address(name, 6),
            }
            for name, host in lab.hosts.items()
            if host.vlan
        }
    if "0 packets dropped by kernel" not in tap_says:
        recording.failures.append(f"tcpdump: {tap_says.strip()[-200:]}")
    return recording, hosts


def main() -> int:
    """Records, shrinks, compresses, writes the truth; 1 when an act failed or the network can't be had."""
    parser = argparse.ArgumentParser(description="Record the bundled capture in the lab (root needed).")
    parser.add_argument("-o", "--output", type=Path, default=Path("spanwatch/data/demo.pcap.zst"))
    parser.add_argument("--keep-raw", type=Path, help="also keep the full recording, as a pcap")
    arguments = parser.parse_args()
    if reason := network.why_not() or servers.why_not() or traffic.why_not():
        print(reason, file=sys.stderr)
        return 1
    log: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    with tempfile.TemporaryDirectory() as folder:
        raw = arguments.keep_raw or Path(folder) / "raw.pcap"
        recording, hosts = record(raw, log)
        small = Path(folder) / "demo.pcap"
        with open(raw, "rb") as source, open(small, "wb") as target:
            counts = shrink.shrink(source, target)
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["zstd", "-q", "-f", "-19", str(small), "-o", str(arguments.output)], check=True)
    truth = {
        "version": TRUTH_VERSION,
        "capture": arguments.output.name,
        "recorded_by": "python -m tests.lab.record_demo",
        "counts": asdict(counts),
        "network": {
            "vlans": {
                str(v.number): {
                    "group": v.name,
                    "network": str(v.network),
                    "mirrored": v.mirrored,
                    "gateway": v.gateway,
                }
                for v in plan.VLANS.values()
            },
            "resolver": plan.RESOLVER,
            "sinkhole": plan.SINKHOLE,
            "block_host": servers.BLOCK_HOST,
            "dhcp_servers": ["10.20.0.1", "10.30.0.1", "10.40.0.1"],
            "gateway_mac": mac_for("gateway"),
        },
        "hosts": hosts,
        "scenarios": [asdict(s) for s in sorted(recording.scenarios, key=lambda s: s.start)],
    }
    beside = arguments.output.with_name(arguments.output.name.split(".")[0] + ".truth.json")
    beside.write_text(json.dumps(truth, indent=1) + "\n")
    log(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.2f} MB, {counts}")
    for failure in recording.failures:
        log(f"failed: {failure}")
    return 1 if recording.failures else 0


if __name__ == "__main__":
    sys.exit(main())
