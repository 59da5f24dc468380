"""Compiling lists, loading them, and look-ups a second, at real size.

    python -m benchmarks.matcher [--names 5000000] [--lists FOLDER] [--ask FILE]

`--lists` is a folder of published lists in any form (else $REAL_LISTS): the names of its files called
`domains`, `*hosts*` or `*domains*` come first, and made-up ones fill up to `--names`. `--ask` is a file of
popular names, one a line. Compiling, and loading with asking, are processes of their own, so that
memory and time are theirs alone; times are the processor's.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

SYLLABLES = [
    "ba", "co", "del", "e", "fin", "go", "hub", "in", "jo", "kar", "lo", "mi", "net", "o", "pix", "shop",
    "ta", "web",
]  # fmt: skip
ENDINGS = [
    "com", "com", "com", "com", "net", "org", "de", "ru", "info", "co.uk", "xyz", "top", "online", "com.br",
    "io",
]  # fmt: skip
#: Lists that the names are spread over, a category each.
LISTS = 20
#: Names asked for when hits are measured, and half of them are listed.
ASKED = 200_000


def made_names() -> Iterator[str]:
    """Different names without end, of two to five syllables, every fifth below another name."""
    random = np.random.default_rng(7)
    number = 0
    while True:
        sizes = random.integers(2, 6, 10_000).tolist()
        picks = random.integers(0, len(SYLLABLES), 50_000).tolist()
        endings = random.integers(0, len(ENDINGS), 10_000).tolist()
        for i, size in enumerate(sizes):
            label = "".join(SYLLABLES[pick] for pick in picks[i * 5 : i * 5 + size])
            below = f"{SYLLABLES[size]}{number % 7}." if number % 5 == 0 else ""
            yield f"{below}{label}{number:x}.{ENDINGS[endings[i]]}"
            number += 1


def real_names(folder: Path) -> Iterator[str]:
    """Names of published lists, as they stand there, repeated ones too."""
    from blocklists.lists import Report, entries
    from blocklists.sources import ListError, ListFile

    for path in sorted(folder.rglob("*")):
        if not path.is_file() or not ("domains" in path.name or "hosts" in path.name):
            continue
        listed = ListFile(name="real", file=path.name, format="hosts" if "hosts" in path.name else "domains")
        try:
            yield from (entry.name for entry in entries(Report(path, listed)) if entry.name)
        except ListError:
            continue


def write_lists(folder: Path, real: Path | None, count: int) -> int:
    """A folder of lists with so many names, spread over `LISTS` files; how many of them are real."""
    from blocklists import taxonomy

    table = ""
    files = []
    for number in range(LISTS):
        name = f"list{number}"
        table += f'[[lists]]\nname = "{name}"\nfile = "{name}"\ncategories = ["{taxonomy.NAMES[number]}"]\n'
        files.append(open(folder / name, "w", encoding="ascii"))  # noqa: SIM115  (closed below)
    (folder / "sources.toml").write_text(table)
    taken = 0
    for source in (real_names(real) if real else iter(()), made_names()):
        for name in islice(source, count - taken):
            files[taken % LISTS].write(f"{name}\n")
            taken += 1
        if source is not None and taken < count:
            given = taken
    for file in files:
        file.close()
    return given if real else 0


def asked_names(folder: Path) -> list[str]:
    """Names below listed ones, and as many that no list has, mixed."""
    random = np.random.default_rng(1)
    some = []
    for number in range(LISTS):
        lines = (folder / f"list{number}").read_text("ascii").split()
        some += [lines[i] for i in random.integers(0, len(lines), ASKED // 2 // LISTS).tolist()]
    return random.permutation([f"www.{name}" for name in some] + [f"www.q0{name}" for name in some]).tolist()


def compile_once(folder: Path) -> dict[str, Any]:
    """Compiles a folder; seconds and bytes of this process."""
    from blocklists.lists import COMPILED, load_matcher

    load_matcher(None)  # what is compiled for the processor is loaded
    before, begin = resource.getrusage(resource.RUSAGE_SELF), time.process_time()
    matcher = load_matcher(folder)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "names": matcher.names,
        "cpu_s": time.process_time() - begin,
        "before_mb": before.ru_maxrss / 1e3,
        "most_mb": after.ru_maxrss / 1e3,
        "file_mb": (folder / COMPILED).stat().st_size / 1e6,
    }


def resident() -> int:
    """Bytes of this process in memory, mapped files included."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def ask(path: Path, asked: Path, seconds: float) -> dict[str, Any]:
    """Loads the compiled file, asks for the names again and again, and measures."""
    from blocklists.matcher import Matcher

    names = pa.array(asked.read_text("ascii").split("\n")[:-1], pa.string())
    small = pa.array(["warm.example"], pa.string())
    Matcher.open(path).match(small)  # compiled code is loaded, nothing of the file stays
    before = resident()
    begin, processor = time.perf_counter(), time.process_time()
    matcher = Matcher.open(path)
    matcher.match(small)
    load, load_cpu = time.perf_counter() - begin, time.process_time() - processor
    rounds, hits = 0, 0
    best = float("inf")
    end = time.monotonic() + seconds
    while time.monotonic() < end or not rounds:
        begin = time.thread_time()  # of the core, so that other work on the machine doesn't count
        hits = int((matcher.match(names) >= 0).sum())
        best = min(best, time.thread_time() - begin)
        rounds += 1
    return {
        "load_s": load,
        "load_cpu_s": load_cpu,
        "memory_mb": (resident() - before) / 1e6,
        "per_s": len(names) / best,
        "hit_share": hits / len(names),
        "asked": len(names),
    }


def _in_process(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.matcher", *arguments]
    found: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    )
    return found


def _tell(what: str, found: dict[str, Any]) -> None:
    print(f"{what}: {found['asked']:,} names, {found['hit_share']:.1%} of them listed")
    print(f"  loaded in {found['load_s']:.2f} s ({found['load_cpu_s']:.2f} s of processor)")
    print(f"  {found['memory_mb']:.1f} MB in memory after the look-ups")
    print(f"  {found['per_s']:,.0f} look-ups/s on one core (best round)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--names", type=int, default=5_000_000)
    parser.add_argument("--lists", type=Path, default=os.environ.get("REAL_LISTS"))
    parser.add_argument("--ask", type=Path)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--compile", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.compile:
        print(json.dumps(compile_once(options.compile)))
        return
    if options.measure:
        print(json.dumps(ask(*options.measure, options.seconds)))
        return
    with tempfile.TemporaryDirectory() as place:
        folder, names = Path(place) / "lists", Path(place) / "names"
        folder.mkdir()
        real = write_lists(folder, options.lists, options.names)
        print(f"lists: {options.names:,} lines, {real:,} of them from published lists")
        found = _in_process("--compile", str(folder))
        print(f"compiled: {found['names']:,} names in {found['cpu_s']:.1f} s of processor")
        most, before = found["most_mb"], found["before_mb"]
        print(f"  {most:.0f} MB at most ({before:.0f} MB before), file {found['file_mb']:.0f} MB")
        (folder / "list0").write_bytes((folder / "list0").read_bytes() + b"one.more.example\n")
        found = _in_process("--compile", str(folder))
        print(f"compiled again after an update: {found['cpu_s']:.1f} s, {found['most_mb']:.0f} MB at most")
        arguments = (
            "--measure",
            str(folder / "compiled.spanlist"),
            str(names),
            "--seconds",
            str(options.seconds),
        )
        names.write_text("\n".join(asked_names(folder)) + "\n")
        _tell("spread over the whole table", _in_process(*arguments))
        if options.ask:
            names.write_text("\n".join(options.ask.read_text("ascii").split()) + "\n")
            _tell("popular names", _in_process(*arguments))


if __name__ == "__main__":
    main()
