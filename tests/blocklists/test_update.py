"""Whole updates from a real server on loopback: what is put in force, what is held, what never gets in."""

import gzip
import hashlib
import io
import json
import os
import tarfile

import pytest

from blocklists.held import State, approve, beside, read_state, reject
from blocklists.lists import load_matcher
from blocklists.sources import ListError
from blocklists.update import Update
from tests.blocklists.web import Page

NAMES = [f"n{number}.example" for number in range(100)]


def lines(names):
    return "".join(f"{name}\n" for name in names)


@pytest.fixture
def folder(tmp_path, web):
    """A folder whose list `a` (and any others named) is fetched from the server."""

    def write(*names, more=""):
        text = "[update]\nattempts = 2\nconnect_s = 2\nsilence_s = 0.5\n"
        for name in names or ("a",):
            text += (
                f'[[lists]]\nname = "{name}"\nurl = "{web.url("/" + name)}"\ncategories = ["games"]\n{more}\n'
            )
        (tmp_path / "sources.toml").write_text(text)
        return tmp_path

    return write


def run(path, *names):
    update = Update(path)
    return {outcome.name: outcome for outcome in update.fetch(update.chosen(names))}


def test_the_life_of_a_list(web, folder):
    """First fetched, then unchanged, then a small change: each is told, in force, and noted."""
    path = folder()
    web.pages["/a"] = Page(lines(NAMES))
    first = run(path)["a"]
    assert (first.kind, first.line) == ("updated", "100 entries, +100 −0")
    assert load_matcher(path).labels("n7.example").mask
    again = run(path)["a"]
    assert again.kind == "unchanged"
    assert again.line.startswith("100 entries, in force since 2")
    assert web.asked[-1][1]["if-none-match"] == web.pages["/a"].etag
    web.pages["/a"] = Page(lines([*NAMES[2:], "new.example"]))
    assert run(path)["a"].line == "99 entries, +1 −2"
    assert load_matcher(path).labels("new.example").mask
    assert not load_matcher(path).labels("n0.example").mask
    state = read_state(path, Update(path).listed[0])
    assert (state.current.added, state.current.removed, state.current.entries) == (1, 2, 99)
    assert state.checked >= state.current.at > 1_700_000_000
    assert sorted(os.listdir(path)) == ["a.list", "a.list.state", "compiled.spanlist", "sources.toml"]


def test_a_large_change_waits_for_a_person(web, folder):
    """More than a tenth of the entries changed: the old ones stay until a person says yes."""
    path = folder()
    web.pages["/a"] = Page(lines(NAMES))
    run(path)
    web.pages["/a"] = Page(lines(NAMES[11:]))
    held = run(path)["a"]
    assert held.kind == "held"
    assert held.line.startswith("89 entries instead of 100, +0 −11: 11% of them changed, more than 10%; ")
    assert (path / "a.list").read_text() == lines(NAMES)
    again = run(path)["a"]
    assert again.kind == "held"
    assert "since 2" in again.line
    assert web.asked[-1][1]["if-none-match"] == web.pages["/a"].etag
    approve(path, "a")
    assert (path / "a.list").read_text() == lines(NAMES[11:])
    assert run(path)["a"].kind == "unchanged"


def test_a_tenth_is_not_too_much(web, folder):
    """Exactly the share allowed is put in force; added and removed entries both count."""
    path = folder()
    web.pages["/a"] = Page(lines(NAMES))
    run(path)
    web.pages["/a"] = Page(lines([*NAMES[5:], *(f"m{number}.example" for number in range(5))]))
    assert run(path)["a"].line == "100 entries, +5 −5"
    web.pages["/a"] = Page(lines([*NAMES[5:], *(f"k{number}.example" for number in range(6))]))
    assert run(path)["a"].kind == "held"


@pytest.mark.parametrize("more", ["hold_share = 0.5", ""])
def test_the_share_is_a_setting(web, folder, more):
    """The share may be set for all lists and for one."""
    path = folder(more=more)
    if not more:
        text = (path / "sources.toml").read_text().replace("[update]", "[update]\nhold_share = 0.5")
        (path / "sources.toml").write_text(text)
    web.pages["/a"] = Page(lines(NAMES))
    run(path)
    web.pages["/a"] = Page(lines(NAMES[:60]))
    assert run(path)["a"].kind == "updated"


def test_a_rejected_update_is_not_held_again(web, folder):
    """What a person rejected is left alone while the source offers it; the next version is judged anew."""
    path = folder()
    web.pages["/a"] = Page(lines(NAMES))
    run(path)
    web.pages["/a"] = Page(lines(NAMES[:50]))
    run(path)
    reject(path, "a")
    assert run(path)["a"].kind == "unchanged"
    web.pages["/a"].etag = '"same bytes, other tag"'
    assert run(path)["a"].kind == "unchanged"
    assert (path / "a.list").read_text() == lines(NAMES)
    web.pages["/a"] = Page(lines(NAMES[:51]))
    assert run(path)["a"].kind == "held"
    web.pages["/a"] = Page(lines(NAMES))
    assert run(path)["a"].kind == "unchanged"
    assert not beside(path, Update(path).listed[0], "held").exists()


BAD = {
    "page": (
        b"<!DOCTYPE html>\n<html><body>n1.example moved</body></html>\n",
        "it is a web page, not a list",
    ),
    "page with spaces": (b"\xef\xbb\xbf\n  <HTML>", "it is a web page"),
    "empty": (b"", "no entry at all"),
    "comments": (b"# all gone\n", "no entry at all"),
    "binary": (bytes(range(256)) * 4_000, "no list of format"),
    "prose": (b"this is not a list at all\n" * 50, "no list of format"),
    "cut archive": (gzip.compress(os.urandom(50_000))[:20_000], ""),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_download_replaces_nothing(web, folder, kind):
    """A page, nothing, prose, binary data: refused with the address and the reason, the good list stays."""
    body, said = BAD[kind]
    path = folder()
    web.pages["/a"] = Page(lines(NAMES))
    run(path)
    web.pages["/a"] = Page(body)
    failed = run(path)["a"]
    assert failed.kind == "failed"
    assert said in failed.line
    assert "; " in failed.line
    assert "part" not in failed.line
    assert (path / "a.list").read_text() == lines(NAMES)
    assert sorted(os.listdir(path)) == ["a.list", "a.list.state", "sources.toml"]
    assert read_state(path, Update(path).listed[0]).error == failed.line
    # What failed is asked for again, not taken as known.
    assert run(path)["a"].kind == "failed"
    web.pages["/a"] = Page(lines(NAMES[1:]))
    assert run(path)["a"].kind == "updated"
    assert read_state(path, Update(path).listed[0]).error == ""


def archive(files):
    """A gzipped tar of names and contents, as UT1 publishes its categories."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def test_an_archive_is_judged_whole(web, folder):
    """A category's archive is taken as it is; damaged, hostile and empty ones are refused with the reason."""
    path = folder(more='format = "squidguard"')
    good = archive({"games/domains": lines(NAMES).encode(), "games/urls": b"n1.example/page\n"})
    web.pages["/a"] = Page(good)
    assert run(path)["a"].line == "100 entries, +100 −0"
    matcher = load_matcher(path)
    assert matcher.lookup("n7.example").origins[0].member == "games/domains"
    bad = {
        "cut": good[: len(good) // 2],
        "bomb": archive({"games/domains": b"0" * 60_000_000}),
        "empty": archive({}),
        "outside": archive({"../games/domains": lines(NAMES).encode()}),
        "nested": archive({"games.tar.gz": good}),
    }
    for kind, body in bad.items():
        web.pages["/a"] = Page(body)
        failed = run(path)["a"]
        assert failed.kind == "failed", kind
        assert f"{web.url('/a')}" in failed.line, (kind, failed.line)
        assert ".part" not in failed.line, (kind, failed.line)
        assert (path / "a.list").read_bytes() == good
    assert sorted(p.name for p in path.iterdir()) == [
        "a.list",
        "a.list.state",
        "compiled.spanlist",
        "sources.toml",
    ]


def test_a_list_that_was_cut_is_held(web, folder):
    """A server that ends early without saying how much there is can't fool the share."""
    path = folder()
    web.pages["/a"] = Page(lines(NAMES))
    run(path)
    web.pages["/a"] = Page(lines(NAMES) + "x" * 10, etag="", length=False, cuts=[400] * 5)
    assert run(path)["a"].kind == "held"


def test_one_failure_stops_no_other(web, folder):
    """Sources that fail in different ways leave the others to be updated, in their order."""
    path = folder("gone", "a", "broken", "b", "slow", "c")
    for name in ("a", "b", "c"):
        web.pages[f"/{name}"] = Page(lines(NAMES))
    web.pages["/broken"] = Page(statuses=[500] * 9)
    web.pages["/slow"] = Page(lines(NAMES), pause=9)
    outcomes = run(path)
    assert [(name, outcome.kind) for name, outcome in outcomes.items()] == [
        ("gone", "failed"), ("a", "updated"), ("broken", "failed"), ("b", "updated"),
        ("slow", "failed"), ("c", "updated"),
    ]  # fmt: skip
    assert load_matcher(path).labels("n1.example").mask


def test_some_lists_alone(web, folder):
    """Lists named are updated alone; an unknown name, and one without an address, are refused."""
    path = folder("a", "b", "c")
    for name in ("a", "b", "c"):
        web.pages[f"/{name}"] = Page(lines(NAMES))
    assert list(run(path, "c", "a")) == ["a", "c"]
    with pytest.raises(ListError, match="no list 'd'; see"):
        run(path, "d")
    with open(path / "sources.toml", "a") as file:
        file.write('[[lists]]\nname = "ours"\nfile = "ours.txt"\n')
    with pytest.raises(ListError, match="list 'ours' has no url"):
        run(path, "ours")


def test_a_list_changed_by_hand_is_fetched_whole(web, folder):
    """Where the file isn't what was fetched any more, the source's version replaces it."""
    path = folder()
    web.pages["/a"] = Page(lines(NAMES))
    run(path)
    (path / "a.list").write_text(lines(NAMES[:95]))
    assert run(path)["a"].kind == "updated"
    assert (path / "a.list").read_text() == lines(NAMES)
    (path / "a.list").unlink()
    assert run(path)["a"].kind == "updated"


def test_another_address_begins_anew(web, folder):
    """What is known of the old address is not said to the new one; a large change is held all the same."""
    path = folder()
    web.pages["/a"] = Page(lines(NAMES))
    run(path)
    web.pages["/other"] = Page(lines(NAMES[:50]), etag=web.pages["/a"].etag)
    text = (path / "sources.toml").read_text().replace(web.url("/a"), web.url("/other"))
    (path / "sources.toml").write_text(text)
    assert run(path)["a"].kind == "held"
    assert "if-none-match" not in web.asked[-1][1]


def test_checksums_are_compared(web, folder):
    """A list whose published checksum differs is refused; with the right one it is taken."""
    path = folder(more=f'checksum = "{web.url("/SUMS")}"')
    web.pages["/a"] = Page(lines(NAMES))
    web.pages["/SUMS"] = Page(f"{'0' * 32}  a\n")
    failed = run(path)["a"]
    assert failed.kind == "failed"
    assert "the checksum is " in failed.line
    assert not (path / "a.list").exists()
    web.pages["/SUMS"] = Page(f"{hashlib.sha256(lines(NAMES).encode()).hexdigest()}  a\n")
    assert run(path)["a"].kind == "updated"


def test_a_state_that_can_not_be_written(web, folder):
    """A disk that refuses is one source's failure, told with the file; the list in force is whole."""
    path = folder("a", "b")
    web.pages["/a"] = web.pages["/b"] = Page(lines(NAMES))
    (path / "a.list.state.new").mkdir()
    outcomes = run(path)
    assert outcomes["a"].kind == "failed"
    assert "a.list.state.new: Is a directory; " in outcomes["a"].line
    assert outcomes["b"].kind == "updated"


def test_a_folder_of_files_is_brought_in(web, folder, tmp_path_factory):
    """Without the network, files are found by the list's name or the address's, and judged the same."""
    path = folder("a", "b", "c")
    place = tmp_path_factory.mktemp("usb")
    (place / "a.txt").write_text(lines(NAMES))
    (place / "b").write_text("<html>")
    update = Update(path)
    outcomes = {o.name: o for o in update.bring(update.chosen(), place)}
    assert {name: o.kind for name, o in outcomes.items()} == {"a": "updated", "b": "failed", "c": "absent"}
    assert web.asked == []
    (place / "a.txt").write_text(lines(NAMES[:50]))
    assert next(iter(update.bring(update.chosen(["a"]), place))).kind == "held"
    # What a file brought is not what the server is known by.
    web.pages["/a"] = Page(lines(NAMES))
    assert run(path, "a")["a"].kind == "unchanged"
    assert "if-none-match" not in web.asked[-1][1]


def test_a_clock_that_was_set_back(web, folder):
    """Versions keep their order where the clock went back since the last one."""
    path = folder()
    web.pages["/a"] = Page(lines(NAMES))
    run(path)
    listed = Update(path).listed[0]
    state = json.loads(beside(path, listed, "state").read_text())
    state["current"]["at"] = state["checked"] = 1 << 33
    beside(path, listed, "state").write_text(State.model_validate(state).model_dump_json())
    web.pages["/a"] = Page(lines(NAMES[1:]))
    assert run(path)["a"].kind == "updated"
    later = read_state(path, listed)
    assert (later.current.at, later.checked) == (1 << 33, 1 << 33)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_sources(web, folder):
    """Ten thousand sources are updated and found unchanged."""
    names = [f"s{number}" for number in range(10_000)]
    path = folder(*names)
    for name in names:
        web.pages[f"/{name}"] = Page(f"{name}.example\n")
    assert {outcome.kind for outcome in run(path).values()} == {"updated"}
    assert {outcome.kind for outcome in run(path).values()} == {"unchanged"}
    matcher = load_matcher(path)
    assert matcher.labels("s9999.example").mask
    assert len(matcher.sources) > 10_000
