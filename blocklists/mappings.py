"""What other taxonomies' names stand for in ours: the table `mappings.tsv`."""

import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from blocklists import taxonomy

FILE = Path(__file__).with_name("mappings.tsv")

USES = ("list", "allow", "none")


class Meaning(NamedTuple):
    """What a name of another taxonomy stands for."""

    use: str
    """`list`: its names carry `categories` and `service`; `allow`: they lose every other category;
    `none`: known, and nothing of ours."""
    categories: tuple[str, ...]
    service: str


def _read(path: Path) -> dict[str, dict[str, Meaning]]:
    """Meanings by source and name. Raises ValueError with file, line and mend."""
    tables: dict[str, dict[str, Meaning]] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) not in (3, 4, 5) or cells[2] not in USES:
            raise ValueError(f"{path}:{number}: write source, name, {'/'.join(USES)}, categories, service")
        source, name, use, categories, service = [*cells, "", ""][:5]
        unknown = [word for word in categories.split() if word not in taxonomy.CATEGORIES]
        if unknown:
            raise ValueError(f"{path}:{number}: unknown category {unknown[0]!r}; use one of the taxonomy's")
        if use == "list" and not categories and not service:
            raise ValueError(f"{path}:{number}: {name!r} stands for nothing; write none or its categories")
        table = tables.setdefault(source, {})
        if key(name) in table:
            raise ValueError(f"{path}:{number}: {source} {name!r} stands here twice; remove one")
        table[key(name)] = Meaning(use, tuple(categories.split()), service)
    return tables


@cache
def _tables() -> dict[str, dict[str, Meaning]]:
    return _read(FILE)


@cache
def version() -> str:
    """Digest of the table: what was compiled with another one is compiled again."""
    return hashlib.sha256(FILE.read_bytes()).hexdigest()[:16]


def key(name: str) -> str:
    """A category's name as it is compared: case, and what stands between words, don't matter."""
    return "".join(c for c in name.casefold() if c.isalnum() or c in "!+")


def sources() -> tuple[str, ...]:
    """The taxonomies the table knows."""
    return tuple(_tables())


def meanings(source: str) -> dict[str, Meaning]:
    """What the names of a taxonomy stand for, by `key`. Raises KeyError for an unknown one.

    The empty source is our own taxonomy.
    """
    if not source:
        return {key(name): Meaning("list", (name,), "") for name in taxonomy.NAMES}
    return _tables()[source]
