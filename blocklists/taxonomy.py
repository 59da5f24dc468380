"""The categories of `taxonomy.toml`: what a name can carry, and how it may be shown."""

import tomllib
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("taxonomy.toml")

GROUPS = ("core", "offensive", "local", "security", "sensitive")
REPORTS = ("named", "aggregate", "withheld")

#: Stands for a name that no output may show.
WITHHELD = "(withheld)"


class Category(NamedTuple):
    """One category."""

    name: str
    title: str
    group: str
    """One of `GROUPS`."""
    report: str
    """`named`, `aggregate` (never for one person) or `withheld` (counted only)."""
    bit: int
    """Its bit in a category mask, and its place in `CATEGORIES`."""
    shared: bool
    """Lists of it mean names that a company gives to its customers, with everything below them."""
    ports: tuple[int, ...]
    """Server ports that a listed address of it is about, where its list names none; empty all."""


def _read(path: Path) -> dict[str, Category]:
    categories = {
        name: Category(
            name,
            facts["title"],
            facts["group"],
            facts.get("report", "named"),
            bit,
            facts.get("shared", False),
            tuple(facts.get("ports", ())),
        )
        for bit, (name, facts) in enumerate(tomllib.loads(path.read_text("utf-8")).items())
    }
    if len(categories) > 63:
        raise ValueError(f"{path}: {len(categories)} categories; a mask holds 63: merge some")
    for category in categories.values():
        if category.group not in GROUPS or category.report not in REPORTS:
            raise ValueError(
                f"{path}: {category.name}: group or report is unknown; use {GROUPS} and {REPORTS}"
            )
    return categories


CATEGORIES: dict[str, Category] = _read(FILE)
NAMES: tuple[str, ...] = tuple(CATEGORIES)


def mask_of(names: list[str] | tuple[str, ...] | set[str]) -> int:
    """Category mask of names. Raises KeyError for an unknown one."""
    mask = 0
    for name in names:
        mask |= 1 << CATEGORIES[name].bit
    return mask


def names_of(mask: int) -> list[str]:
    """Names of a category mask, in the taxonomy's order."""
    return [name for bit, name in enumerate(NAMES) if mask >> bit & 1]


def ports_of(mask: int) -> tuple[int, ...]:
    """Server ports that an address of these categories is about; empty all."""
    ports = [CATEGORIES[name].ports for name in names_of(mask)]
    return tuple(sorted({port for some in ports for port in some})) if ports and all(ports) else ()


#: Categories whose names no output may show.
WITHHELD_MASK = mask_of([c.name for c in CATEGORIES.values() if c.report == "withheld"])
