"""`lookup` and `lists` as a user calls them."""

import gzip
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blocklists.lists import current_version
from spanwatch.cli import DONE, FAILED, USAGE, main
from tests.blocklists.web import Page, Web, served

Captured = pytest.CaptureFixture[str]
NAMES = [f"n{number}.example" for number in range(40)]


@pytest.fixture
def web() -> Iterator[Web]:
    """A server of lists."""
    with served() as web:
        yield web


@pytest.fixture
def folder(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of lists in force, with one list that the server has."""
    monkeypatch.setenv("SPANWATCH_LISTS", str(tmp_path))
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "sources.toml").write_text(
        f'[[lists]]\nname = "a"\nurl = "{web.url("/a")}"\ncategories = ["games"]\n'
    )
    web.pages["/a"] = Page("\n".join(NAMES))
    return tmp_path


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


def test_lookup_goes_on_after_a_bad_line(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of standard input that is no name is told with its number; the others are answered."""
    monkeypatch.setattr("sys.stdin", io.StringIO("www.youtube.com\n\nno name!\nunlisted.example\n"))
    assert main(["lookup", "-"]) == FAILED
    told = capsys.readouterr()
    assert [json.loads(line)["name"] for line in told.out.splitlines()] == [
        "www.youtube.com",
        "unlisted.example",
    ]
    assert told.err.startswith("spanwatch: standard input, line 3: ")
    assert len(told.err.splitlines()) == 1


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


def test_held_lines_and_a_little_noise_are_told_of_a_good_list(tmp_path: Path, capsys: Captured) -> None:
    """A public suffix, or one broken line in a thousand, is told with its line; the list can be used."""
    file = tmp_path / "list.txt"
    names = [f"n{number}.example" for number in range(1_000)]
    file.write_text("\n".join(["co.uk", "not a name", *names]))
    assert main(["lists", "check", str(file), "--format", "domains"]) == DONE
    good, held, refused = capsys.readouterr().out.splitlines()
    assert good.endswith("good; 1,000 entries as domains, 1 lines refused, 1 lines held")
    assert held.startswith(f"{file}:1: held: 'co.uk' is a public suffix")
    assert refused.startswith(f"{file}:2: refused: ")
    file.write_text("\n".join(["not a name", *names[1:]]))
    assert main(["lists", "check", str(file), "--format", "domains"]) == USAGE
    assert capsys.readouterr().err.startswith(f"spanwatch: {file}:1: refused: ")


def test_a_folder_of_lists_without_a_table(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty folder in the settings is a folder without `sources.toml`, not a list to be guessed at."""
    monkeypatch.setenv("SPANWATCH_LISTS", str(tmp_path))
    assert main(["lists", "check"]) == USAGE
    assert f"{tmp_path}/sources.toml: cannot read: No such file or directory; " in capsys.readouterr().err


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


def test_an_update_is_told_line_by_line(web: Web, folder: Path, capsys: Captured) -> None:
    """`lists update` says what became of each list and which version is in force; then nothing is new."""
    assert main(["lists", "update"]) == DONE
    told = capsys.readouterr()
    assert told.err == ""
    first, last = told.out.splitlines()
    assert first == "a: updated: 40 entries, +40 −0"
    assert last.startswith(f"in force: version {current_version(folder)}, ")
    assert main(["lists", "update", "a"]) == DONE
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("a: unchanged: 40 entries, in force since ")
    assert last == f"in force: version {current_version(folder)}, as before"
    assert main(["lookup", "n3.example"]) == DONE
    assert json.loads(capsys.readouterr().out)["categories"] == ["games"]


def test_a_held_update_is_approved(web: Web, folder: Path, capsys: Captured) -> None:
    """A held list names the command that puts it in force, and that does."""
    main(["lists", "update"])
    web.pages["/a"] = Page("\n".join(NAMES[:20]))
    capsys.readouterr()
    assert main(["lists", "update"]) == DONE
    told = capsys.readouterr().out
    assert "a: HELD: 20 entries instead of 40" in told
    assert "`spanwatch lists approve a`" in told
    before = current_version(folder)
    assert main(["lists", "approve", "a"]) == DONE
    assert "a: approved: 20 entries, +0 −20" in capsys.readouterr().out
    assert current_version(folder) != before
    assert main(["lists", "approve", "a"]) == USAGE
    assert "no update of a list 'a' is held; see `spanwatch lists show`" in capsys.readouterr().err


def test_a_held_update_is_rejected(web: Web, folder: Path, capsys: Captured) -> None:
    """A rejected update is gone, and the version in force is as before."""
    main(["lists", "update"])
    before = current_version(folder)
    web.pages["/a"] = Page("\n".join(NAMES[:20]))
    main(["lists", "update"])
    assert main(["lists", "reject", "a"]) == DONE
    assert "a: rejected: 20 entries" in capsys.readouterr().out
    assert main(["lists", "update"]) == DONE
    assert current_version(folder) == before


def test_a_failed_source_is_an_error(web: Web, folder: Path, capsys: Captured) -> None:
    """A source that fails is one line of error with mend, and the exit code says so."""
    del web.pages["/a"]
    assert main(["lists", "update"]) == FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"spanwatch: a: failed: {web.url('/a')}: the server says 404 Not Found; ")


def test_lists_from_a_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, capsys: Captured
) -> None:
    """`--from` takes files instead of the network; a folder without any, or none at all, is told."""
    place = tmp_path_factory.mktemp("usb")
    assert main(["lists", "update", "--from", str(place)]) == FAILED
    assert "a: not there: no file a.* in " in capsys.readouterr().out
    (place / "a.txt").write_text("one.example\n")
    assert main(["lists", "update", "--from", str(place)]) == DONE
    assert "a: updated: 1 entries" in capsys.readouterr().out
    assert main(["lists", "update", "--from", str(place / "a.txt")]) == USAGE
    assert "is no folder; give one" in capsys.readouterr().err


def test_no_folder_of_lists(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder there is nothing to update, and the line says what to set."""
    monkeypatch.delenv("SPANWATCH_LISTS", raising=False)
    assert main(["lists", "update"]) == USAGE
    assert "no folder of lists is set; set `lists`" in capsys.readouterr().err


def test_what_is_known_of_a_source(web: Web, folder: Path, capsys: Captured) -> None:
    """`lists show` tells of a list that was never fetched, then when it was, and what is held of it."""

    def shown() -> dict[str, object]:
        capsys.readouterr()
        assert main(["lists", "show"]) == DONE
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        (row,) = (row for row in rows if row["name"] == "a")
        return row

    never = shown()
    assert (never["entries"], never["checked"], never["held"]) == (None, None, None)
    main(["lists", "update"])
    fetched = shown()
    assert (fetched["entries"], fetched["added"], fetched["age_days"]) == (40, 40, 0.0)
    assert fetched["lists_version"] == current_version(folder)
    web.pages["/a"] = Page("\n".join(NAMES[:20]))
    main(["lists", "update"])
    held = shown()["held"]
    assert isinstance(held, dict)
    assert (held["entries"], held["removed"]) == (20, 20)
    del web.pages["/a"]
    main(["lists", "update"])
    assert "404" in str(shown()["error"])


def test_a_list_from_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """`lists check -` reads standard input, packed or not, and calls it that in every line."""

    def check(content: bytes, *options: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        code = main(["lists", "check", "-", *options])
        told = capsys.readouterr()
        return code, told.out, told.err

    assert check(gzip.compress(b"one.example\n")) == (
        DONE,
        "standard input: good; 1 entries as domains\n",
        "",
    )
    code, _, line = check(b"one.example\nnot a name\n", "--format", "domains")
    assert code == USAGE
    assert line.startswith("spanwatch: standard input:2: refused: ")
    assert check(b"0.0.0.0 one.example\n", "--format", "hosts")[0] == DONE
    assert "use one of addresses, " in check(b"one.example\n", "--format", "poem")[2]
    assert "given twice" in check(b"", "-")[2]
    assert check(gzip.compress(b"one.example\n" * 99)[:30])[2].startswith("spanwatch: standard input: ")


def test_an_address_and_what_was_taken(folder: Path, capsys: Captured) -> None:
    """A look-up takes addresses, tells since when a list has had its line, and who takes what away."""
    (folder / "mine.txt").write_text("n3.example\n")
    (folder / "nets.txt").write_text("# ours\n203.0.113.0/24\n")
    with open(folder / "sources.toml", "a") as file:
        file.write('[[lists]]\nname = "mine"\nfile = "mine.txt"\nallow = true\n')
        file.write(
            '[[lists]]\nname = "nets"\nfile = "nets.txt"\nformat = "addresses"\ncategories = ["vpn"]\n'
        )
    assert main(["lists", "update"]) == DONE
    capsys.readouterr()
    assert main(["lookup", "www.n3.example", "203.0.113.9"]) == DONE
    name, address = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (name["categories"], name["taken"]) == ([], ["games"])
    assert [(one["list"], one["line"], one["gives"], one["takes"]) for one in name["lists"]] == [
        ("a", 4, ["games"], []), ("mine", 1, [], ["games"]),
    ]  # fmt: skip
    assert name["lists"][0]["since"]["version"] == current_version(folder) == name["lists_version"]
    assert (address["matched"], address["categories"]) == ("203.0.113.0/24", ["vpn"])
    assert [(one["list"], one["line"]) for one in address["lists"]] == [("nets", 2)]
    assert all(one["action"] for one in address["decisions"])
