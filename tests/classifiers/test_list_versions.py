"""Lists in force, in a real store."""

from pathlib import Path

import pytest

from blocklists.lists import load_matcher
from blocklists.matcher import Matcher
from classifiers.list_versions import note_lists
from pipeline.store.client import Store
from tests.pipeline.stores import made_store


def matcher(folder: Path, names: str) -> Matcher:
    (folder / "sources.toml").write_text(
        '[[lists]]\nname = "ours"\nfile = "ours.txt"\ncategories = ["games"]\nlicence = "our own"\n'
    )
    (folder / "ours.txt").write_text(names)
    return load_matcher(folder)


@pytest.fixture
def store(tmp_path: Path):
    with made_store(tmp_path / "made") as opened:
        yield opened


def test_a_version_is_noted_once(store: Store, tmp_path: Path) -> None:
    """Every list of a version has its row, with what came and went; the same version again adds nothing."""
    first = matcher(tmp_path, "a.example\nb.example\n")
    assert note_lists(store, first)
    assert not note_lists(store, first)
    assert store.rows("SELECT count() AS n FROM lists") == [{"n": len(first.sources)}]
    second = matcher(tmp_path, "b.example\nc.example\nd.example\n")
    assert note_lists(store, second)
    rows = store.rows("SELECT * FROM lists WHERE list = 'ours' ORDER BY since")
    assert [(row["version"], row["entries"], row["added"], row["removed"]) for row in rows] == [
        (first.version, 2, 2, 0), (second.version, 3, 2, 1),
    ]  # fmt: skip
    assert rows[0]["since"] < rows[1]["since"]
    assert (rows[0]["categories"], rows[0]["licence"]) == (["games"], "our own")


def test_a_version_may_come_again(store: Store, tmp_path: Path) -> None:
    """Where an older version is in force again, that is a time of its own, after the others."""
    store.command("TRUNCATE TABLE lists")
    versions = [matcher(tmp_path, "a.example\n"), matcher(tmp_path, "b.example\n")]
    versions.append(matcher(tmp_path, "a.example\n"))
    assert versions[0].version == versions[2].version
    assert [note_lists(store, version) for version in versions] == [True, True, True]
    rows = store.rows("SELECT version FROM lists WHERE list = 'ours' ORDER BY since")
    assert [row["version"] for row in rows] == [version.version for version in versions]


def test_a_clock_that_was_set_back(store: Store, tmp_path: Path) -> None:
    """A version noted after one of the future still comes after it."""
    store.command("TRUNCATE TABLE lists")
    store.command("INSERT INTO lists (since, version, list) VALUES ('2150-01-01 00:00:00', 'x', 'ours')")
    assert note_lists(store, matcher(tmp_path, "a.example\n"))
    rows = store.rows("SELECT version FROM lists WHERE list = 'ours' ORDER BY since")
    assert rows[0]["version"] == "x"
    assert len(rows) == 2
