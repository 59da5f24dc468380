"""Plays a scenario once: the network, the filter, all visits, both taps, and what each client got."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab import network, servers
from tests.lab.filters import clients, internet
from tests.lab.filters.scenario import PLAIN, Outcome, Scenario, Truth, Visit, truth
from tests.lab.filters.topology import CLIENTS, TAPS, Client, FilterLab

PLAIN_NAMES = 4
"""Names of no list that each client fetches in each half, beside its attempts."""
OUTCOMES = "outcomes.jsonl"


@dataclass(frozen=True)
class Tried:
    """A visit, what its client got, and what is therefore true of it."""

    outcome: Outcome
    stopped: bool
    """Whether the filter was meant to act on it."""
    truth: Truth


@dataclass(frozen=True)
class Played:
    """A scenario's recordings and its truth."""

    key: str
    captures: dict[str, Path]
    """By tap."""
    tried: tuple[Tried, ...]


def why_not() -> str:
    """Empty where scenarios can be played, else the reason in one line."""
    return network.why_not() or servers.why_not()


def visits(scenario: Scenario, client: Client, half: int) -> list[Visit]:
    """What a client visits in a half (0 and 1), in an order of its own that is always the same.

    Names of no list come first and last of all, as others are always under way at a school: that servers
    and resolvers work otherwise can be seen from before until after.
    """
    cells = [cell for cell in scenario.cells if cell.stack == client.stack]
    if not cells:
        return []
    middle = scenario.names // 2
    numbers = range(middle) if half == 0 else range(middle, scenario.names)
    found = [
        Visit(client.name, f"{cell.label}-{number}.{zone}", cell)
        for cell in cells
        for zone in scenario.zones
        for number in numbers
    ]
    random.Random(f"{scenario.key} {client.name} {half}").shuffle(found)
    plain = [
        Visit(client.name, f"plain{half}{number}.{PLAIN}", cells[number % len(cells)])
        for number in range(PLAIN_NAMES)
    ]
    return found + plain if half else plain + found


def play(scenario: Scenario, folder: Path) -> Played:
    """Plays it in a network of its own and leaves the recordings in `folder`.

    Raises OSError or TimeoutError where a part of it doesn't start, with the part's last words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tried: list[Tried] = []
    with FilterLab() as lab:
        names = {
            visit.name for half in (0, 1) for client in CLIENTS for visit in visits(scenario, client, half)
        }
        internet.start(lab, sorted(names), scenario.addresses)
        if scenario.servers:
            scenario.servers(lab)
        scenario.start(lab)
        with lab.record(folder):
            tried += _half(lab, scenario, 0, scenario.stops)
            if scenario.midway:
                scenario.midway(lab)
            tried += _half(lab, scenario, 1, scenario.stops_midway or scenario.stops)
    lines = [
        json.dumps({"stopped": entry.stopped, "outcome": json.loads(clients.encode(entry.outcome))})
        for entry in tried
    ]
    (folder / OUTCOMES).write_text("\n".join(lines) + "\n")
    return load(scenario.key, folder)


def load(key: str, folder: Path) -> Played:
    """What `play` left in a folder. Raises OSError where it isn't there."""
    return Played(key, {tap: folder / f"{tap}.pcap" for tap in TAPS}, tuple(_tried(folder / OUTCOMES)))


def _tried(file: Path) -> Iterator[Tried]:
    for line in file.read_text().splitlines():
        entry = json.loads(line)
        outcome = clients.decode(json.dumps(entry["outcome"]))
        yield Tried(outcome, entry["stopped"], truth(outcome, entry["stopped"]))


def _half(lab: FilterLab, scenario: Scenario, half: int, stops: Callable[[Visit], bool]) -> list[Tried]:
    running = []
    for client in CLIENTS:
        if planned := visits(scenario, client, half):
            name = f"{client.name}-{half}.jsonl"
            running.append((_start(lab, scenario, client, planned, name), lab.path / name, len(planned)))
    found: list[Tried] = []
    for process, log, expected in running:
        process.wait()
        lab.processes.remove(process)
        outcomes = [clients.decode(line) for line in log.read_text().splitlines() if line.startswith("{")]
        if len(outcomes) != expected:
            said = log.read_text()[-500:]
            raise OSError(f"{log.stem} made {len(outcomes)} of {expected} visits: {said}")
        for outcome in outcomes:
            stopped = stops(outcome.visit)
            found.append(Tried(outcome, stopped, truth(outcome, stopped)))
    return found


def _start(
    lab: FilterLab, scenario: Scenario, client: Client, planned: Sequence[Visit], log: str
) -> subprocess.Popen[bytes]:
    authorities = "".join(file.read_text() for file in sorted(lab.path.glob("*-ca/ca.pem")))
    (lab.path / clients.TRUSTED).write_text(authorities)
    plan = lab.path / f"{log}.plan"
    entries = [
        {
            "client": visit.client,
            "name": visit.name,
            "cell": visit.cell.__dict__,
            "options": list(scenario.options(visit)),
        }
        for visit in planned
    ]
    plan.write_text(
        json.dumps(
            {
                "visits": entries,
                "path": scenario.path,
                "pace_s": scenario.pace_s,
                "timeout_s": scenario.timeout_s,
            }
        )
    )
    program = ["env", "-C", str(lab.path), f"PYTHONPATH={network.ROOT}", sys.executable]
    return lab.start(client.name, [*program, "-m", "tests.lab.filters.clients", str(plan)], log)
