"""docs/upgrade.md, done as it says: a backup through a pipe to another folder, and nothing twice."""

import re
from pathlib import Path

import pytest

from spanwatch.cli import DONE
from spanwatch.demo import CAPTURE
from tests.deploy.composed import DEPLOY
from tests.spanwatch.program import run
from tests.spanwatch.test_replay import sums

GUIDE = (DEPLOY.parent / "docs" / "upgrade.md").read_text("utf-8")
ROWS = re.compile(r"([\d,]+) rows in (\d+) tables")


@pytest.mark.slow
def test_a_backup_is_tried_as_the_guide_says(tmp_path: Path) -> None:
    """`backup -` into `restore -`: both tell the same rows, sums are equal, a replay adds none."""
    assert "spanwatch backup -" in GUIDE
    assert "spanwatch --state /tmp/tried restore" in GUIDE
    school, tried = tmp_path / "school", tmp_path / "tried"
    assert run("--state", school, "replay", CAPTURE).returncode == DONE
    saved = run("--state", school, "backup", "-")
    assert saved.returncode == DONE, saved.stderr
    restored = run("--state", tried, "restore", "-", stdin=saved.stdout)
    assert restored.returncode == DONE, restored.stderr
    told = ROWS.search(saved.stderr.decode())
    assert told is not None
    assert ROWS.findall(restored.stdout.decode()) == [told.groups()]
    before = sums(school)
    assert sums(tried) == before
    assert run("--state", tried, "replay", CAPTURE).returncode == DONE
    assert sums(tried) == before
