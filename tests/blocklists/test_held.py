"""What is known of a source, and updates that wait for a person."""

import os

import pytest

from blocklists.held import (
    LOCK,
    State,
    Version,
    approve,
    beside,
    changes,
    content,
    digest,
    now_s,
    only_update,
    read_state,
    reject,
    write_state,
)
from blocklists.sources import ListError, ListFile

LISTED = ListFile(name="a", url="http://lists.example/a")


@pytest.fixture
def folder(tmp_path):
    """A folder with one list of an address, and an update of it that is held."""
    (tmp_path / "sources.toml").write_text('[[lists]]\nname = "a"\nurl = "http://lists.example/a"\n')
    (tmp_path / "a.list").write_text("one.example\n")
    (tmp_path / "a.list.held").write_text("two.example\nthree.example\n")
    held = Version(sha256=digest(tmp_path / "a.list.held"), entries=2, added=2, removed=1, at=1_000)
    current = Version(sha256=digest(tmp_path / "a.list"), entries=1, added=1, removed=0, at=500)
    write_state(tmp_path, LISTED, State(url=LISTED.url, etag='"2"', current=current, held=held))
    return tmp_path


def test_a_state_is_kept(folder):
    """What was written is read, and nothing else lies beside it."""
    state = read_state(folder, LISTED)
    assert (state.etag, state.current.entries, state.held.entries) == ('"2"', 1, 2)
    assert sorted(os.listdir(folder)) == ["a.list", "a.list.held", "a.list.state", "sources.toml"]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"current": 7}', b"\xff\x00"])
def test_a_broken_state_is_none(folder, text):
    """A state that makes no sense is as if nothing were known."""
    beside(folder, LISTED, "state").write_bytes(text)
    assert read_state(folder, LISTED) == State(url=LISTED.url)


def test_a_state_of_another_address_is_none(folder):
    """What is known of the old address says nothing of the new one."""
    moved = ListFile(name="a", url="http://other.example/a")
    assert read_state(folder, moved) == State(url="http://other.example/a")


def test_approved(folder):
    """An approved update is in force, with the time of the approval, and waits no more."""
    before = now_s()
    assert approve(folder, "a").at >= before
    assert (folder / "a.list").read_text() == "two.example\nthree.example\n"
    state = read_state(folder, LISTED)
    assert state.held is None
    assert state.current.sha256 == digest(folder / "a.list")
    with pytest.raises(ListError, match="no update of a list 'a' is held"):
        approve(folder, "a")


def test_rejected(folder):
    """A rejected update is gone and remembered; the version in force stays."""
    sha256 = digest(folder / "a.list.held")
    reject(folder, "a")
    assert (folder / "a.list").read_text() == "one.example\n"
    assert not (folder / "a.list.held").exists()
    state = read_state(folder, LISTED)
    assert (state.held, state.rejected, state.etag) == (None, sha256, '"2"')


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_what_is_held_is_looked_at_again(folder, damage):
    """A held file that isn't the one that was judged is not put in force; rejecting clears it."""
    if damage == "gone":
        (folder / "a.list.held").unlink()
    else:
        (folder / "a.list.held").write_text("four.example\n")
    with pytest.raises(ListError, match="not what was held any more"):
        approve(folder, "a")
    assert (folder / "a.list").read_text() == "one.example\n"
    reject(folder, "a")
    assert read_state(folder, LISTED).held is None


def test_nothing_of_that_name_is_held(folder):
    """A name that isn't there, or has nothing held, is told with where to look."""
    with pytest.raises(ListError, match=r"'b' is held; see `spanwatch lists show`"):
        approve(folder, "b")


def test_changes_are_counted_by_what_is_said(tmp_path):
    """Order, comments and repetition change nothing; a new name, one gone, and an exception do."""
    (tmp_path / "old").write_text("||a.example^\n||b.example^\n||c.example^\n")
    (tmp_path / "new").write_text(
        "! hello\n||c.example^\n||b.example^\n||b.example^\n@@||a.example^\n||d.example^\n"
    )
    form = ListFile(name="a", file="a", format="adblock")
    old, new = content(tmp_path / "old", form), content(tmp_path / "new", form)
    assert (len(old), len(new)) == (3, 4)
    assert changes(old, new) == (2, 1)
    assert changes(old, old) == (0, 0)


def test_an_empty_list_has_no_content(tmp_path):
    """A file without an entry is refused."""
    (tmp_path / "a").write_text("# nothing\n")
    with pytest.raises(ListError, match="no entry at all"):
        content(tmp_path / "a", ListFile(name="a", file="a"))


def test_a_clock_that_was_set_back():
    """Times never go back behind one that was noted."""
    assert now_s(1 << 40) == 1 << 40
    assert now_s(5) > 1_700_000_000


def test_one_update_at_a_time(tmp_path):
    """Whoever comes second is told who is at work; after the first has ended it may begin."""
    with only_update(tmp_path):
        said = rf"another update \(process {os.getpid()}\) works on .*; wait until it is done"
        with pytest.raises(OSError, match=said), only_update(tmp_path):
            pass
    with only_update(tmp_path):
        assert (tmp_path / LOCK).read_text() == str(os.getpid())


def test_a_folder_that_takes_no_lock(tmp_path):
    """A folder that can't be written to is told with the mend."""
    (tmp_path / LOCK).mkdir()
    with (
        pytest.raises(OSError, match=r"cannot write to the folder of lists .*; make it writable"),
        only_update(tmp_path),
    ):
        pass
