"""Plays a scenario once in a network of its own: what the mirror showed, and what was done."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab import network, servers
from tests.lab.detectors.scenario import Scenario, Truth
from tests.lab.network import Lab

MIRROR, MORE, TRUTH = "mirror.pcap", "more", "truth.json"
SETTLE_S = 1.5
"""Seconds that the recording goes on after the scenario's end: tcpdump hands on its buffer once a second."""


@dataclass(frozen=True)
class Played:
    """A scenario's recordings and what was done in them."""

    key: str
    mirror: Path
    more: tuple[Path, ...]
    """Recordings of a second sensor."""
    truth: Truth
    hosts: Mapping[str, Mapping[str, str]]
    """The lab's hosts by name: `mac`, `vlan`, and `address` at the scenario's end."""
    seconds: float
    """How long it took."""


def why_not() -> str:
    """Empty where scenarios can be played, else the reason in one line."""
    return network.why_not() or servers.why_not()


def play(scenario: Scenario, folder: Path) -> Played:
    """Plays it and leaves the recordings in `folder`, which is emptied first.

    Raises OSError, RuntimeError, TimeoutError or subprocess.SubprocessError where a part of it fails.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with Lab() as lab:
        (lab.path / MORE).mkdir()
        scenario.prepare(lab)
        with recorded(lab, folder / MIRROR):
            begun = time.monotonic()
            truth = scenario.play(lab)
            seconds = time.monotonic() - begun
        hosts = {
            name: {"mac": host.mac, "vlan": host.vlan.name, "address": lab.address(name) or ""}
            for name, host in lab.hosts.items()
            if host.vlan
        }
        for file in sorted((lab.path / MORE).glob("*.pcap")):
            (folder / MORE).mkdir(exist_ok=True)
            shutil.copy(file, folder / MORE)
    told = {"truth": asdict(truth), "hosts": hosts, "seconds": seconds}
    (folder / TRUTH).write_text(json.dumps(told, indent=1) + "\n")
    return load(scenario.key, folder)


def load(key: str, folder: Path) -> Played:
    """What `play` left in a folder. Raises OSError where it isn't there."""
    told = json.loads((folder / TRUTH).read_text())
    more = tuple(sorted((folder / MORE).glob("*.pcap")))
    return Played(key, folder / MIRROR, more, Truth(**told["truth"]), told["hosts"], told["seconds"])


@contextlib.contextmanager
def recorded(lab: Lab, file: Path) -> Iterator[None]:
    """tcpdump at the mirror port while the block runs. Raises OSError where the recording has holes."""
    command = ["tcpdump", "-Z", "root", "-B", "65536", "-s", "0", "-i", lab.mirror, "-w", str(file)]
    tap = lab.start("sensor", command, "tap.log")
    end = time.monotonic() + 10
    while "listening" not in (lab.path / "tap.log").read_text():
        if time.monotonic() > end:
            raise TimeoutError("tcpdump does not listen at the mirror port")
        time.sleep(0.05)
    try:
        yield
        time.sleep(SETTLE_S)
    finally:
        lab.stop(tap)
    said = (lab.path / "tap.log").read_text()
    lost = re.search(r"^(\d+) packets? dropped by kernel", said, re.MULTILINE)
    if lost is None or lost[1] != "0":
        raise OSError(f"the recording has holes: {said.strip()[-200:]}")
