"""The compose file as its tests read it: YAML with anchors resolved, variables as they stand."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+)")


@cache
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return found


def services() -> dict[str, dict[str, Any]]:
    return dict(compose()["services"])


def example() -> dict[str, str]:
    """The variables of the example, with a cluster's name set as an owner would."""
    lines = (DEPLOY / "compose" / "example.env").read_text("utf-8").splitlines()
    pairs = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return pairs | {"KAFKA_CLUSTER": "c3BhbndhdGNoLXRlc3RzMA"}


def filled(text: str) -> str:
    """A value with the example's variables put in."""
    values = example()
    return re.sub(r"\$\{([A-Z_]+)(?::?[?-]([^}]*))?\}", lambda m: values.get(m[1], m[2] or ""), text)


def secrets_of(service: dict[str, Any]) -> list[str]:
    """Names of the secrets that a service is given."""
    return [one if isinstance(one, str) else one["source"] for one in service.get("secrets", [])]


def mounts(service: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Source, target, and whether it is read-only, of each mount."""
    found = []
    for text in service.get("volumes", []):
        source, target, *mode = text.split(":")
        found.append((source, target, mode == ["ro"]))
    return found
