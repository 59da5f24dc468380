"""`/v1/lists`."""

from pathlib import Path

import pytest

from blocklists.held import State, Version, write_state
from blocklists.sources import ListFile
from tests.api.conftest import Running


@pytest.fixture
def noted(scratch: Running) -> Running:
    """A service whose store has two versions of two lists, the second since 2026-03-02."""
    scratch.store.command("TRUNCATE TABLE lists")
    scratch.store.command(
        "INSERT INTO lists (since, version, list, categories, url, sha256, entries, added, removed) VALUES "
        "('2026-03-01 00:00:00', 'v1', 'a', ['games'], 'https://lists.example/a', 'aa', 10, 10, 0), "
        "('2026-03-01 00:00:00', 'v1', 'b', ['chat'], '', 'bb', 5, 5, 0), "
        "('2026-03-02 00:00:00', 'v2', 'a', ['games'], 'https://lists.example/a', 'ac', 12, 3, 1), "
        "('2026-03-02 00:00:00', 'v2', 'b', ['chat'], '', 'bb', 5, 0, 0)"
    )
    return scratch


def test_the_lists_in_force(noted: Running) -> None:
    """Without a time it is what is in force now: each list with its digest, and when that began."""
    found = noted.get("/v1/lists", "auditor").json()
    assert (found["version"], found["since"][:10], found["until"]) == ("v2", "2026-03-02", None)
    assert [(row["name"], row["sha256"], row["entries"]) for row in found["lists"]] == [
        ("a", "ac", 12),
        ("b", "bb", 5),
    ]
    assert [(v["version"], v["lists"], v["added"], v["removed"]) for v in found["versions"]] == [
        ("v2", 2, 3, 1), ("v1", 2, 15, 0),
    ]  # fmt: skip
    assert found["versions"][1]["until"] == found["since"]


def test_as_of_a_moment(noted: Running) -> None:
    """At an earlier time the earlier version is told, with its end; before the first, nothing is known."""
    found = noted.get("/v1/lists", "auditor", params={"at": "2026-03-01T12:00:00Z", "versions": 1}).json()
    assert (found["version"], found["until"][:10]) == ("v1", "2026-03-02")
    assert found["lists"][0]["sha256"] == "aa"
    assert len(found["versions"]) == 1
    found = noted.get("/v1/lists", "auditor", params={"at": "2020-01-01T00:00:00Z"}).json()
    assert (found["version"], found["since"], found["lists"]) == (None, None, [])


def test_sources_and_what_is_held(noted: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the service has the folder of lists, it tells when each source answered and what is held."""
    (tmp_path / "sources.toml").write_text(
        '[[lists]]\nname = "a"\nurl = "https://me:secret@lists.example/a"\n'
    )
    listed = ListFile(name="a", url="https://me:secret@lists.example/a")
    held = Version(sha256="cc", entries=3, added=0, removed=9, at=1_700_000_000)
    write_state(tmp_path, listed, State(url="https://lists.example/a", checked=1_700_000_000, held=held))
    monkeypatch.setattr(noted.settings, "lists", tmp_path)
    answer = noted.get("/v1/lists", "administrator")
    (source,) = answer.json()["sources"]
    assert source["checked"] == "2023-11-14T22:13:20Z"
    assert source["age_days"] > 700
    assert (source["held"]["removed"], source["fetched"], source["error"]) == (9, None, "")
    assert "secret" not in answer.text
    (tmp_path / "sources.toml").write_text("not toml at all [")
    assert noted.get("/v1/lists", "administrator").json()["sources"] is None


def test_as_csv(noted: Running) -> None:
    """The same rows as a table."""
    lines = noted.get("/v1/lists", "engineer", accept="text/csv").text.splitlines()
    assert lines[0].startswith("name,title,categories,")
    assert len(lines) == 3


@pytest.mark.parametrize("role", ["helpdesk", "investigator", "privacy_officer"])
def test_who_may_not(noted: Running, role: str) -> None:
    """Lists are for auditors, engineers and administrators."""
    assert noted.get("/v1/lists", role).status_code == 403


@pytest.mark.parametrize("params", [{"at": "yesterday"}, {"versions": -1}, {"colour": "red"}])
def test_refusals(noted: Running, params: dict) -> None:
    """A broken time or parameter is 422 with a mend."""
    answer = noted.get("/v1/lists", "auditor", params=params)
    assert answer.status_code == 422
    assert answer.json()["mend"]
