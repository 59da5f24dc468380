"""Load time, memory and look-ups a second of the list matcher at real size.

    python -m benchmarks.matcher [--names 5000000] [--list FILE …] [--ask FILE]

Names of the given plain lists come first, made-up ones fill up to `--names`. Half of the names
asked for lie below a listed one unless `--ask` gives a file of names. The compiled file is loaded
and asked in a fresh process, so that the memory is the matcher's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

SYLLABLES = [
    "ba",
    "co",
    "del",
    "e",
    "fin",
    "go",
    "hub",
    "in",
    "jo",
    "kar",
    "lo",
    "mi",
    "net",
    "o",
    "pix",
    "shop",
    "ta",
    "web",
]
ENDINGS = ["com", "net", "org", "de", "ru", "info", "co.uk", "xyz", "top", "online", "com.br", "io"]
ENDING_SHARE = [0.5, 0.09, 0.08, 0.06, 0.05, 0.04, 0.04, 0.04, 0.03, 0.03, 0.02, 0.02]


def made_names(count: int, seed: int = 7) -> list[str]:
    """Names of two to five syllables with digits at times, some below others; not all distinct."""
    random = np.random.default_rng(seed)
    sizes = random.integers(2, 6, count)
    picks = random.integers(0, len(SYLLABLES), int(sizes.sum())).tolist()
    endings = random.choice(len(ENDINGS), count, p=ENDING_SHARE).tolist()
    numbers = np.where(random.random(count) < 0.5, random.integers(0, 10_000, count), -1).tolist()
    below = (random.random(count) < 0.2).tolist()
    names = []
    at = 0
    for size, ending, number, under in zip(sizes.tolist(), endings, numbers, below, strict=True):
        label = "".join(SYLLABLES[p] for p in picks[at : at + size])
        at += size
        name = f"{label}{number if number >= 0 else ''}.{ENDINGS[ending]}"
        names.append(f"{SYLLABLES[size]}{number % 7}.{name}" if under else name)
    return names


def build(path: Path, listed: list[str], count: int) -> list[str]:
    """Compiles `count` distinct names into `path`; returns them."""
    from blocklists.build import Builder, Statement
    from blocklists.matcher import Source

    seed = 7
    while len(listed) < count:
        listed = list(dict.fromkeys(listed + made_names(count - len(listed) + 100_000, seed)))
        seed += 1
    listed = listed[:count]
    begin = time.perf_counter()
    builder = Builder()
    source = builder.source(Source("made", "Made", "", "domains", ("games",), False, "", len(listed)))
    said = [builder.statement(Statement(1 << bit, "", source, False)) for bit in range(20)]
    for start in range(0, len(listed), 65_536):
        part = listed[start : start + 65_536]
        builder.add(part, range(start, start + len(part)), [said[i % 20] for i in range(len(part))])
    matcher = builder.build()
    matcher.save(path)
    spent, size = time.perf_counter() - begin, path.stat().st_size / 1e6
    print(f"compiled   {matcher.names:,} names in {spent:.1f} s, {size:.1f} MB")
    return listed


def resident() -> int:
    """Bytes of this process in memory, mapped files included."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def ask(path: Path, names: Path, seconds: float) -> dict[str, float]:
    """Loads the compiled file, asks for the names again and again, and measures."""
    from blocklists.matcher import Matcher

    asked = pa.array(names.read_text("ascii").split("\n")[:-1], pa.string())
    small = pa.array(["warm.example"], pa.string())
    Matcher.open(path).match(small)  # compiled code is loaded, nothing of the file stays
    before = resident()
    begin = time.perf_counter()
    matcher = Matcher.open(path)
    matcher.match(small)
    load = time.perf_counter() - begin
    rounds, hits = 0, 0
    begin = time.thread_time()  # of the core, so that other work on the machine doesn't count
    while time.thread_time() - begin < seconds:
        hits = int((matcher.match(asked) >= 0).sum())
        rounds += 1
    spent = time.thread_time() - begin
    return {
        "load_s": load,
        "memory_mb": (resident() - before) / 1e6,
        "per_s": rounds * len(asked) / spent,
        "hit_share": hits / len(asked),
        "asked": len(asked),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--names", type=int, default=5_000_000)
    parser.add_argument("--list", type=Path, action="append", default=[])
    parser.add_argument("--ask", type=Path)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--measure", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(ask(*options.measure, options.seconds)))
        return
    from blocklists.lists import ListFile, Report, entries

    listed: list[str] = []
    for path in options.list:
        listed += [e.name for e in entries(Report(path, ListFile(name=path.stem, file=path.name))) if e.name]
    with tempfile.TemporaryDirectory() as folder:
        compiled, names = Path(folder) / "compiled", Path(folder) / "names"
        made = build(compiled, listed, options.names)
        if options.ask:
            asked = [
                e.name for e in entries(Report(options.ask, ListFile(name="ask", file=options.ask.name)))
            ]
        else:
            random = np.random.default_rng(1)
            some = [made[i] for i in random.integers(0, len(made), 100_000).tolist()]
            asked = random.permutation([f"www.{n}" for n in some] + [f"www.x{n}" for n in some]).tolist()
        names.write_text("\n".join(asked) + "\n")
        command = [sys.executable, "-m", "benchmarks.matcher", "--measure", str(compiled), str(names)]
        command += ["--seconds", str(options.seconds)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"loaded     in {found['load_s']:.2f} s, {found['memory_mb']:.1f} MB in memory after the look-ups")
    print(f"asked      {found['asked']:,.0f} names, {found['hit_share']:.1%} of them listed")
    print(f"speed      {found['per_s']:,.0f} look-ups/s on one core")


if __name__ == "__main__":
    main()
