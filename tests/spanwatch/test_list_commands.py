"""`lookup` and `lists` as a user calls them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

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


def test_known_lists(capsys: Captured) -> None:
    """`lists known` prints each list of the catalogue with its address and licence."""
    assert main(["lists", "known"]) == DONE
    known = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"stevenblack-porn", "tor-exits"} <= {row["name"] for row in known}
    assert all(row["url"] and row["licence"] for row in known)
