"""`spanwatch bench --compare`: the same file through spanwatch and the programs that are used for it today.

Each is a whole process on the same core, one after the other, in rounds; what counts is the CPU time that the
system charged to it and its children, start-up included. What each is asked to do differs, and is said.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from spanwatch.progress import waiting_for

#: A program that takes longer is ended and left out, s; our default.
PATIENCE_S = 1_800
OURS = "spanwatch"


class Peer(NamedTuple):
    """A program to compare with."""

    name: str
    does: str
    command: tuple[str, ...]
    version: str
    """First line of what it says of itself."""


def _filled(words: list[str], places: Mapping[str, str]) -> tuple[str, ...]:
    filled = []
    for word in words:
        for name, value in places.items():
            word = word.replace(f"{{{name}}}", value)
        filled.append(word)
    return tuple(filled)


def _version(command: tuple[str, ...]) -> str:
    """First line of a program's version; empty where it is not installed."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = (done.stdout or done.stderr).strip().splitlines()
    return said[0].strip() if said and "Error" not in said[-1] else ""


def installed_peers() -> list[Peer]:
    """The programs of `peers.toml` that this machine has."""
    text = (Path(__file__).parent / "data" / "peers.toml").read_text("utf-8")
    found = []
    for name, peer in tomllib.loads(text).items():
        version = _version(tuple(peer["version"]))
        if version:
            found.append(Peer(name, peer["does"], tuple(peer["command"]), version))
    return found


def ourselves() -> Peer:
    """spanwatch as a peer: everything on, the records written as Arrow files."""
    command = (sys.executable, "-m", "spanwatch", "bench", "{file}", "--once", "{folder}")
    return Peer(OURS, "flows, names, DNS, sightings as Arrow", command, "")


def cpu_seconds(peer: Peer, file: str, core: int) -> float:
    """User and system CPU seconds of one run on a core. Raises RuntimeError where it fails."""
    with tempfile.TemporaryDirectory(prefix="spanwatch-peer-") as folder:
        places = {"file": str(Path(file).resolve()), "folder": folder}
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                _filled(list(peer.command), places),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),
            )
            patience = threading.Timer(PATIENCE_S, process.kill)
            patience.start()
            _, status, usage = os.wait4(process.pid, 0)
            patience.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                said.seek(0)
                lines = said.read().decode("utf-8", "replace").strip().splitlines() or ["no word"]
                raise RuntimeError(f"{peer.name} ended with {process.returncode}: {lines[-1]}")
        return usage.ru_utime + usage.ru_stime


def run_comparison(file: str, packets: int, runs: int) -> None:
    """Measure spanwatch and every installed peer on `file`, which holds `packets` frames; print a table.

    A peer that fails is left out by name. Raises RuntimeError where spanwatch itself fails.
    """
    console = Console()
    core = max(os.sched_getaffinity(0))
    peers = [ourselves(), *installed_peers()]
    spent: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for number in range(runs):
        for peer in list(peers):
            with waiting_for(f"round {number + 1} of {runs}: {peer.name}"):
                try:
                    spent[peer.name].append(cpu_seconds(peer, file, core))
                except RuntimeError as error:
                    if peer.name == OURS:
                        raise
                    console.print(f"left out: {error}")
                    peers.remove(peer)
    ours = statistics.median(spent[OURS])
    table = Table(
        "program", "does", "CPU s", "packets/s of CPU", "spanwatch is", box=None, header_style="bold"
    )
    for peer in peers:
        seconds = statistics.median(spent[peer.name])
        rate = f"{packets / seconds:,.0f}"
        times = "" if peer.name == OURS else f"{seconds / ours:.1f} x as fast"
        table.add_row(peer.name, peer.does, f"{seconds:.2f}", rate, times)
    console.print(table)
    for peer in peers:
        if peer.version:
            console.print(f"{peer.name}: {peer.version}", highlight=False)
