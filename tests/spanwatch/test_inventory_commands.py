"""`inventory` as a user calls it."""

import io
import json
import sys
from pathlib import Path

import pytest

from spanwatch.cli import DONE, USAGE, main
from tests.classifiers.policy_text import BASE

Captured = pytest.CaptureFixture[str]


def test_check(tmp_path: Path, capsys: Captured) -> None:
    """What a file holds, what is doubtful, and every file that can't be used."""
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("mac,name,tag\n00163e000001,pc-1,a\n00163e000001,pc-2,\n00163e000002,,a\n")
    bad.write_text("mac,name\nrouter,b\n")
    assert main(["inventory", "check", str(good)]) == DONE
    doubt, line = capsys.readouterr().out.splitlines()
    assert doubt.startswith(f"{good}:3: 00:16:3e:00:00:01 is on line 2, too")
    told = f"{good}: good; 2 MAC addresses, 1 with a name, 0 with an owner group, 0 with a site, 2 with tags"
    assert line == told
    assert main(["inventory", "check", str(good), str(bad)]) == USAGE
    assert capsys.readouterr().err == (
        f"spanwatch: {bad}:2: 'router' is no MAC address; write it as aa:bb:cc:dd:ee:ff\n"
    )


def test_check_of_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """A minus is the file that comes by a pipe."""
    pipe = io.TextIOWrapper(io.BytesIO(b"mac,name\n00163e000001,pc-1\n"))
    monkeypatch.setattr(sys, "stdin", pipe)
    assert main(["inventory", "check", "-"]) == DONE
    assert capsys.readouterr().out.startswith("-: good; 1 MAC addresses, 1 with a name")


def test_show(tmp_path: Path, capsys: Captured) -> None:
    """The devices of the policy in force, all or those that a word fits."""
    policy, settings = tmp_path / "policy.toml", tmp_path / "spanwatch.toml"
    policy.write_text('inventory = ["devices.csv"]\n' + BASE)
    settings.write_text(f'policy = "{policy}"\n')
    (tmp_path / "devices.csv").write_text(
        "mac,name,group\n00163e000001,pc-1,/Staff\n00163e000002,pc-2,/Kids\n"
    )
    begin = ["--config", str(settings), "--state", str(tmp_path), "inventory", "show"]
    for word, macs in (("", [1, 2]), ("00-16-3E-00-00-02", [2]), ("staff", [1]), ("nobody", [])):
        assert main([*begin, word]) == DONE
        rows = json.loads(capsys.readouterr().out)
        assert [row["mac"] for row in rows] == [f"00:16:3e:00:00:0{n}" for n in macs]
    (tmp_path / "devices.csv").write_text("mac\n")
    assert main(begin) == USAGE
