"""`policy` as a user calls it."""

import json
from pathlib import Path

import pytest

from spanwatch.cli import DONE, USAGE, main

Captured = pytest.CaptureFixture[str]


def test_policy_in_force_is_good(capsys: Captured) -> None:
    """The starter policy passes its own check, and `show` prints the same version."""
    assert main(["policy", "check"]) == DONE
    checked = capsys.readouterr().out
    assert main(["policy", "show"]) == DONE
    assert json.loads(capsys.readouterr().out)["version"] in checked


@pytest.mark.parametrize(
    "text", ["[[rules]]\naction = 'maybe'\n", "not toml at all [", '[[sites]]\nid = "a"\nid2 = 1\n']
)
def test_broken_policy(text: str, tmp_path: Path, capsys: Captured) -> None:
    """A broken policy is exit code 2 and one line with file, line and mend."""
    file = tmp_path / "policy.toml"
    file.write_text(text)
    assert main(["policy", "check", str(file)]) == USAGE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert f"{file}:" in lines[0]
    assert ";" in lines[0]


def test_broken_policy_stops_the_worker_before_it_works(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service doesn't start with a broken policy, and no store is made."""
    file = tmp_path / "policy.toml"
    file.write_text("[[rules]]\naction = 'maybe'\n")
    monkeypatch.setenv("SPANWATCH_POLICY", str(file))
    state = tmp_path / "state"
    assert main(["--state", str(state), "worker"]) == USAGE
    assert f"{file}:" in capsys.readouterr().err
    assert not (state / "store").exists()
