"""All scenarios of the detectors' lab, by key: those of every file of this folder that declares SCENARIOS."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from tests.lab.detectors.scenario import Scenario


def _declared() -> Iterator[Scenario]:
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if not module.name.startswith("test_") and module.name != "catalogue":
            yield from getattr(importlib.import_module(f"tests.lab.detectors.{module.name}"), "SCENARIOS", ())


DECLARED = tuple(_declared())
SCENARIOS = {scenario.key: scenario for scenario in DECLARED}
