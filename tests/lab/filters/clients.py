"""What a client does: its visits, one real program each, at a pace, and what each of them got.

`python -m tests.lab.filters.clients FILE` runs inside a client's namespace: FILE holds its visits as JSON,
outcomes go to standard output, one JSON object a line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.lab.filters import browse
from tests.lab.filters.scenario import BLOCK_MARK, PAGE_MARK, Cell, Got, Outcome, Visit
from tests.lab.filters.topology import CLIENTS, SINKHOLE, SINKHOLE6, Client

MOST_AT_ONCE = 64
TLS_OPTIONS = {"tls12": ("--tlsv1.2", "--tls-max", "1.2"), "tls13": ("--tlsv1.3",), "http": ()}
FAMILY_OPTION = {"4": ("-4",), "6": ("-6",), "46": ()}
GIVEN_UP = 124
SECURED = "secured after seconds: "
TRUSTED = "trusted.pem"
"""File in the lab's folder: the internet's authority, and the filter's, as on a school's own devices."""
SINKHOLES = (SINKHOLE, SINKHOLE6, "0.0.0.0", "::")


def seen_mark(received: str) -> Got:
    """Whose page this is, by its mark; of both, the block page."""
    if BLOCK_MARK in received:
        return "block_page"
    return "page" if PAGE_MARK in received else "nothing"


def run(command: Sequence[str], timeout_s: float) -> tuple[int, str, str]:
    """Exit code, standard output and last line of standard error; GIVEN_UP where time ran out."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return GIVEN_UP, "", "no answer in time"
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return done.returncode, done.stdout.decode("utf-8", "replace"), lines[-1] if lines else ""


def curl(visit: Visit, options: Sequence[str], path: str, timeout_s: float) -> tuple[Got, int, int, str]:
    """curl over the cell's protocol: the body and the headers decide what it got."""
    scheme = "http" if visit.cell.protocol == "http" else "https"
    command = [
        *("curl", "--silent", "--show-error", "--include", "--location", "--max-time", str(timeout_s)),
        *("--cacert", TRUSTED),
        *TLS_OPTIONS[visit.cell.protocol],
        *FAMILY_OPTION[visit.cell.stack],
        *options,
        *("--write-out", f"\n{SECURED}%{{time_appconnect}}"),
        f"{scheme}://{visit.name}{path}",
    ]
    code, printed, said = run(command, timeout_s + 2)
    received, _, secured_s = printed.rpartition(f"\n{SECURED}")
    got = seen_mark(received)
    if got == "nothing" and float(secured_s or 0) > 0:
        got = "connection"
    return got, code, len(received), said


def dig(visit: Visit, options: Sequence[str], path: str, timeout_s: float) -> tuple[Got, int, int, str]:
    """dig for the address of the client's family: an address that is no sinkhole is one."""
    del path
    client = by_name(visit.client)
    kind = "A" if "4" in client.stack else "AAAA"
    wait = f"+time={max(1, int(timeout_s) // 2)}"
    command = ["dig", "+tries=2", wait, "+nocookie", *options, f"@{client.resolver}", visit.name, kind]
    code, received, said = run(command, timeout_s + 2)
    answers = [line.split() for line in received.splitlines() if line and not line.startswith(";")]
    addresses = [fields[4] for fields in answers if len(fields) > 4 and fields[3] == kind]
    real = any(address not in SINKHOLES for address in addresses)
    status = next((line for line in received.splitlines() if "status:" in line), said)
    return "address" if real else "nothing", code, 0, f"{status.strip(';- >')} {' '.join(addresses)}".strip()


PROGRAMS: Mapping[str, Callable[[Visit, Sequence[str], str, float], tuple[Got, int, int, str]]] = {
    "chromium": browse.chromium,
    "curl": curl,
    "dig": dig,
}
"""Each makes one visit and returns what it got, its exit code, the bytes received and its last words."""


def by_name(name: str) -> Client:
    """The client of that name; raises KeyError."""
    return {client.name: client for client in CLIENTS}[name]


def make(visit: Visit, options: Sequence[str], path: str, timeout_s: float) -> Outcome:
    """The visit by its program, timed."""
    start = time.time()
    got, code, size, note = PROGRAMS[visit.cell.program](visit, options, path, timeout_s)
    return Outcome(visit, got, start, time.time(), code, size, note)


def encode(outcome: Outcome) -> str:
    """One line of JSON."""
    return json.dumps(asdict(outcome))


def decode(line: str) -> Outcome:
    """The outcome of such a line."""
    fields: dict[str, Any] = json.loads(line)
    visit = fields.pop("visit")
    return Outcome(visit=Visit(visit["client"], visit["name"], Cell(**visit["cell"])), **fields)


def main() -> None:
    """Makes all visits of the file, each at its time, and waits for the last."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    writing = threading.Lock()

    def one(entry: dict[str, Any]) -> None:
        visit = Visit(entry["client"], entry["name"], Cell(**entry["cell"]))
        line = encode(make(visit, entry["options"], plan["path"], plan["timeout_s"]))
        with writing:
            print(line, flush=True)

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        for entry in plan["visits"]:
            pool.submit(one, entry)
            time.sleep(plan["pace_s"])
    browse.close()


if __name__ == "__main__":
    main()
