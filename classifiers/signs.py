"""By what consumer routers and operating systems are known, in the form the detectors' SQL takes it."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROUTER_SIGNS = Path(__file__).with_name("router_signs.toml")
SYSTEMS = Path(__file__).with_name("systems.toml")


def _either(patterns: list[str]) -> str:
    """One expression that matches what any of them does."""
    return "|".join(f"(?:{pattern})" for pattern in patterns)


def _pairs(table: dict[str, list[str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every value, and beside it the key that it stands under."""
    flat = [(value, key) for key, values in table.items() for value in values]
    return tuple(value for value, _ in flat), tuple(key for _, key in flat)


@cache
def signs() -> dict[str, Any]:
    """Fields of `classifiers.facts.Facts` that the data files hold. Raises tomllib.TOMLDecodeError."""
    routers = tomllib.loads(ROUTER_SIGNS.read_text("utf-8"))
    systems = tomllib.loads(SYSTEMS.read_text("utf-8"))
    found: dict[str, Any] = {
        "router_classes": _either(routers["classes"]),
        "router_host_names": _either(routers["host_names"]),
    }
    found["setup_names"], found["setup_makers"] = _pairs(routers["setup_names"])
    for table in ("forms", "dhcp", "dhcp_options", "ja4", "names"):
        found[f"system_{table}"], found[f"systems_by_{table}"] = _pairs(systems[table])
    return found
