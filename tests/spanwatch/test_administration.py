"""`lookup`, `lists`, `policy` and `token` as a user calls them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.access import Access
from spanwatch.cli import DONE, USAGE, main

Captured = pytest.CaptureFixture[str]


def test_lookup_explains_a_name(capsys: Captured) -> None:
    """A name gives one JSON object with its categories and what the policy says."""
    assert main(["lookup", "www.youtube.com", "unlisted.example"]) == DONE
    known, unknown = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert "streaming_video" in known["categories"]
    assert unknown["categories"] == []


@pytest.mark.parametrize("at", ["2026-03-02T10:00:00-08:00", "2026-03-02T18:00:00", "2026-03-02T18:00:00Z"])
def test_lookup_as_of_a_time(at: str, capsys: Captured) -> None:
    """A time keeps its offset; one without is UTC."""
    assert main(["lookup", "www.youtube.com", "--at", at]) == DONE
    explained = json.loads(capsys.readouterr().out)
    assert datetime.fromisoformat(explained["at"]) == datetime(2026, 3, 2, 18, tzinfo=UTC)


def test_lookup_for_an_unknown_group(capsys: Captured) -> None:
    """A group that the policy doesn't have is wrong usage, and the line names those it has."""
    assert main(["lookup", "www.youtube.com", "--group", "nobody"]) == USAGE
    assert "students" in capsys.readouterr().err


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


def test_good_and_broken_list(tmp_path: Path, capsys: Captured) -> None:
    """A good list says how many entries it has; a broken one is exit code 2 with file, line and mend."""
    good, broken = tmp_path / "good.txt", tmp_path / "broken.txt"
    good.write_text("one.example\ntwo.example\n")
    broken.write_bytes(b"one.example\n\xff\xfe\x00bad name..\n")
    assert main(["lists", "check", str(good)]) == DONE
    assert "2 entries" in capsys.readouterr().out
    assert main(["lists", "check", str(good), str(broken)]) == USAGE
    output = capsys.readouterr()
    assert "2 entries" in output.out
    assert len(output.err.splitlines()) == 1
    assert f"{broken}:2:" in output.err


def test_lists_in_force(capsys: Captured) -> None:
    """`lists show` prints each list with its digest, and `lists check` finds them good."""
    assert main(["lists", "show"]) == DONE
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert shown
    assert all(source["entries"] > 0 and source["sha256"] for source in shown)
    assert main(["lists", "check"]) == DONE


def test_token_life(tmp_path: Path, capsys: Captured) -> None:
    """A token that was made works, is listed without itself, and no longer works once revoked."""
    state = ["--state", str(tmp_path)]
    assert (
        main([*state, "token", "create", "desk [north]", "--role", "helpdesk", "--role", "auditor"]) == DONE
    )
    token = capsys.readouterr().out.strip()
    access = Access(tmp_path / "access.sqlite")
    identity = access.check(token)
    assert identity is not None
    assert set(identity.roles) == {"helpdesk", "auditor"}
    assert main([*state, "token", "list"]) == DONE
    listed = capsys.readouterr().out
    assert "desk [north]" in listed
    assert token not in listed
    assert main([*state, "token", "revoke", identity.token_id]) == DONE
    assert access.check(token) is None
    access.close()
