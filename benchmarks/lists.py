"""Reads a folder of real lists and compares: what of it is read, and how far others agree.

    python -m benchmarks.lists FOLDER [--worst 20]

FOLDER holds `ut1`, `v2fly` and `v2fly_resolved` (the same lists, includes followed by others), `adult_hosts`,
`adguard_services`, `nextdns_services`, `doh`, `tor`, `vpn` and `reference`; what is missing is left out.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from blocklists import taxonomy
from blocklists.build import Builder, Statement
from blocklists.entries import BrokenListError, Entry
from blocklists.lists import guess_format, load_matcher
from blocklists.matcher import EXACT, Matcher, Source
from blocklists.reading import read_list

#: Categories that a school forbids by default; a popular name with one is looked at.
FORBIDDEN = (
    "adult", "hate", "violence", "weapons", "drugs", "gambling", "self_harm", "malware", "phishing", "vpn",
    "proxy", "tor", "cryptomining", "dating",
)  # fmt: skip

#: nDPI's categories that are one of ours.
NDPI = {
    "VIDEO": ("streaming_video",), "STREAMING": ("streaming_video", "streaming_music"),
    "MUSIC": ("streaming_music",), "SOCIAL_NETWORK": ("social_media",), "CHAT": ("chat",),
    "GAME": ("games",), "SHOPPING": ("shopping",), "MAIL": ("webmail",), "VPN": ("vpn",),
    "ARTIFICIAL_INTELLIGENCE": ("generative_ai",), "ADULT_CONTENT": ("adult",), "GAMBLING": ("gambling",),
    "CRYPTO_CURRENCY": ("cryptomining",), "REMOTE_ACCESS": ("remote_access",),
    "DOWNLOAD_FT": ("p2p", "file_sharing"), "DATA_TRANSFER": ("file_sharing", "cloud_storage"),
    "CLOUD": ("cloud_storage",),
}  # fmt: skip


class Read(NamedTuple):
    """What reading one list gave."""

    entries: int
    counts: Counter[str]
    seconds: float
    """Of the processor."""
    error: str


class Gathered:
    """Everything read, for one matcher over all of it."""

    def __init__(self) -> None:
        self.builder = Builder()

    def take(self, label: str, path: Path, form: str, categories: tuple[str, ...] = ()) -> Read:
        """Reads a list and keeps what it says."""
        source = self.builder.source(Source(label, label, str(path), form, categories, False, "", 0))
        counts: Counter[str] = Counter()
        names: list[str] = []
        lines: list[int] = []
        said: list[int] = []
        begin = time.process_time()
        error = ""
        try:
            for item in read_list(path, form, categories=categories):
                if not isinstance(item, Entry):
                    counts[item.kind] += item.lines
                    continue
                mask = taxonomy.mask_of(item.categories or categories)
                if item.exception and not mask:
                    mask = taxonomy.mask_of(taxonomy.NAMES)
                number = self.builder.statement(
                    Statement(mask, item.service, source, item.exception, item.member)
                )
                if item.network is not None:
                    self.builder.add_network(item.network, item.line, number)
                counts["networks" if item.network is not None else "names"] += 1
                if item.network is None:
                    names.append(EXACT + item.name if item.exact else item.name)
                    lines.append(item.line)
                    said.append(number)
        except BrokenListError as broken:
            error = str(broken)
        seconds = time.process_time() - begin
        self.builder.add(names, lines, said)
        return Read(counts["names"] + counts["networks"], counts, seconds, error)


def _inputs(folder: Path) -> Iterator[tuple[str, Path, str, tuple[str, ...]]]:
    """Label, path, format and categories of each list there."""
    for name, form in (("ut1", "squidguard"), ("v2fly", "v2fly"), ("nextdns_services", "nextdns")):
        if (folder / name).is_dir():
            yield name, folder / name, form, ()
    for path in sorted(folder.glob("ut1/*/domains.*")):
        category = path.parent.name
        if category in taxonomy.CATEGORIES:
            yield f"ut1 {category}, dated", path, "domains", (category,)
    for path in sorted(folder.glob("adguard_services/*.json")):
        yield "adguard_services", path, "adguard_services", ()
    hosts = {"gambling": "gambling", "social": "social_media", "snuff": "violence"}
    for path in sorted(folder.glob("adult_hosts/*hosts*")):
        category = next((ours for word, ours in hosts.items() if word in path.name), "adult")
        yield path.name, path, "hosts", (category,)
    for name, category in (("doh", "doh"), ("tor", "tor")):
        for path in sorted(folder.glob(f"{name}/*.*")):
            yield path.name, path, "tor_exits" if name == "tor" else "doh", (category,)
    for path in sorted(folder.glob("vpn/*.txt")):
        if "allowlist" not in path.name and "datacenter" not in path.name and path.name.count("_"):
            yield path.name, path, guess_format(path), ("vpn",)


def _table(rows: list[tuple[str, Read]]) -> None:
    print("| list | names | networks | refused | held | skipped | unmapped | CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    for label, read in rows:
        kinds = ("names", "networks", "refused", "held", "skipped", "unmapped")
        cells = " | ".join(f"{read.counts[kind]:,}" for kind in kinds)
        print(f"| {label} | {cells} | {read.seconds:.2f} |{' ' + read.error if read.error else ''}")


def _names(path: Path, form: str, part: str = "") -> set[str]:
    return {
        item.name
        for item in read_list(path, form, part=part, categories=("adult",), trusted=True)
        if isinstance(item, Entry) and item.name
    }


def _expansion(folder: Path) -> None:
    """Lists of v2fly expanded by us against the same expanded by others, who heed no attributes."""
    resolved = sorted((folder / "v2fly_resolved").glob("*.txt"))
    same = 0
    theirs_only: Counter[str] = Counter()
    differ = []
    with tempfile.TemporaryDirectory() as place:
        plain = Path(place) / "data"
        plain.mkdir()
        for path in (folder / "v2fly" / "data").iterdir():
            text = path.read_text("utf-8")
            (plain / path.name).write_text(re.sub(r"(?m)^(include:\S+).*", r"\1", text), "utf-8")
        for path in resolved:
            theirs = {line.strip().lower() for line in path.read_text("utf-8").splitlines()} - {""}
            ours = _names(folder / "v2fly", "v2fly", path.stem)
            unfiltered = _names(plain, "v2fly", path.stem)
            labels = {name for name in theirs if "." not in name}
            same += len(ours & theirs)
            theirs_only["of one label, held"] += len(labels)
            theirs_only["left out by attributes"] += len((theirs & unfiltered) - ours)
            rest = (theirs - labels - unfiltered) | (unfiltered - theirs)
            if rest:
                differ.append(f"{path.stem}: {sorted(rest)[:10]}")
    print(f"\nv2fly, {len(resolved)} lists: {same:,} names in both, only in theirs {dict(theirs_only)}")
    print("differences without a reason:", "; ".join(differ) or "none")


def _counted(folder: Path) -> None:
    """Names of hosts files and UT1's categories against counts made by others, where they differ."""
    counts = json.loads((folder / "reference" / "counts.json").read_text())
    same = 0
    rows = []
    for group, table in counts.items():
        for name, known in table.items():
            path = {
                "sinfonietta": folder / "adult_hosts" / f"sinfonietta_{name}.txt",
                "adult-4skin": folder / "adult_hosts" / "4skin_hosts.txt",
                "ut1": folder / "ut1" / name / "domains",
                "nextdns-services": folder / "nextdns_services" / "services" / name,
            }.get(group)
            if not path or not path.is_file():
                continue
            found = len(_names(path, "hosts" if "hosts" in path.name else "domains"))
            same += found == known["domains"]
            if found != known["domains"]:
                rows.append(f"| {group} {name} | {known['domains']:,} | {found:,} |")
    print(f"\n{same} lists have as many different names as others counted; these have not:\n")
    print("| list | counted by others | different names |\n|---|---|---|")
    print("\n".join(rows))


def _popular(folder: Path, matcher: Matcher, worst: int) -> None:
    """Popular names that carry a category which schools forbid, and who says so."""
    path = folder / "reference" / "benign_top_ranked.list"
    names = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    ids = matcher.set_ids(pa.array(names)).tolist()
    forbidden = taxonomy.mask_of(FORBIDDEN)
    of: dict[str, list[str]] = defaultdict(list)
    labelled = 0
    for name, found in zip(names, ids, strict=True):
        mask = matcher.sets[found].mask if found >= 0 else 0
        labelled += found >= 0
        for category in taxonomy.names_of(mask & forbidden):
            of[category].append(name)
    taken = Counter(
        category
        for name, found in zip(names, ids, strict=True)
        if found >= 0
        for category in matcher.lookup(name).taken
        if category in FORBIDDEN
    )
    different = len({name for some in of.values() for name in some})
    print(f"\n{len(names):,} popular names, {labelled:,} on a list, {different:,} with a forbidden category")
    print(f"taken away by exceptions and allow lists: {dict(taken)}")
    for category, some in sorted(of.items(), key=lambda item: -len(item[1])):
        origins = Counter(
            f"{origin.source.name} {origin.member}".strip()
            for name in some[:2_000]
            for origin in matcher.lookup(name).origins
            if category in origin.categories and not origin.exception
        )
        print(f"{category}: {len(some):,}; by {dict(origins.most_common(4))}; {', '.join(some[:worst])}")


def _ndpi(folder: Path, matcher: Matcher) -> None:
    """nDPI's categories of host names against ours, where they can be compared."""
    rows = json.loads((folder / "reference" / "ndpi_host_match.json").read_text())
    agree: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    differ: dict[str, list[str]] = defaultdict(list)
    unlisted: Counter[str] = Counter()
    for row in rows:
        wanted = NDPI.get(row["category"])
        name = row["domain"].lstrip(".").lower()
        if wanted is None or "." not in name.strip("."):
            continue
        asked[row["category"]] += 1
        found = taxonomy.names_of(matcher.labels(name).mask)
        if set(found) & set(wanted):
            agree[row["category"]] += 1
        elif not found:
            unlisted[row["category"]] += 1
        else:
            differ[row["category"]].append(f"{name} ({'+'.join(found)})")
    print("\n| nDPI's category | names | the same | none | others |")
    print("|---|---|---|---|---|")
    for category, count in asked.most_common():
        print(
            f"| {category} | {count} | {agree[category]} | {unlisted[category]} | "
            f"{len(differ[category])}: {', '.join(differ[category][:8])} |"
        )


def main() -> int:
    """Prints every comparison that the folder allows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lists", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--worst", type=int, default=20, help="popular names shown of each category")
    options = parser.parse_args()
    folder: Path = options.folder
    gathered = Gathered()
    _table([(label, gathered.take(label, *rest)) for label, *rest in _inputs(folder)])
    if (folder / "v2fly_resolved").is_dir():
        _expansion(folder)
    if (folder / "reference" / "counts.json").is_file():
        _counted(folder)
    if (folder / "reference" / "benign_top_ranked.list").is_file():
        for title, matcher in (("starter lists", load_matcher()), ("all lists", gathered.builder.build())):
            print(f"\n## {title}")
            _popular(folder, matcher, options.worst)
            if (folder / "reference" / "ndpi_host_match.json").is_file():
                _ndpi(folder, matcher)
    return 0


if __name__ == "__main__":
    sys.exit(main())
