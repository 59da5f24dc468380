"""Chromium as a client of the filter lab."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import traffic
from tests.lab.filters import play
from tests.lab.filters.catalogue import SCENARIOS
from tests.lab.filters.scenario import STOPPED, WANTED, Cell

pytestmark = [pytest.mark.service, pytest.mark.slow]


def test_browsers_speak_quic_and_say_what_they_got(tmp_path: Path) -> None:
    """Four browsers, each with QUIC forced, get the pages over HTTP/3."""
    if reason := play.why_not() or traffic.why_not():
        pytest.skip(reason)
    cells = (Cell("chromium", "46", "quic"),)
    scenario = replace(SCENARIOS["web_none_browser"], names=1, zones=(STOPPED, WANTED), cells=cells)
    outcomes = [entry.outcome for entry in play.play(scenario, tmp_path).tried]
    seen = Counter((o.visit.zone, o.got, o.note) for o in outcomes if o.visit.zone in scenario.zones)
    assert seen == {(STOPPED, "page", "h3"): 4, (WANTED, "page", "h3"): 4}
