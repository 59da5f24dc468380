"""SQLite's errors in our words."""

import errno
import sqlite3
from pathlib import Path

import pytest

from pipeline.stream.faults import MENDS, fault


def error_of(code: int, text: str = "text") -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize("code", list(MENDS))
def test_each_code_has_its_errno_and_mend(code: int) -> None:
    """The primary code decides, extended ones (in the higher bits) go with it."""
    number, mend = MENDS[code]
    for extended in (code, code | 3 << 8):
        made = fault("cannot open the log x", error_of(extended))
        assert isinstance(made, OSError)
        assert (made.errno, made.strerror) == (number, f"cannot open the log x: {mend}")


def test_a_full_disk_is_the_same_whoever_noticed() -> None:
    """SQLite's and the operating system's full disk give one line."""
    by_sqlite = fault("cannot append", error_of(sqlite3.SQLITE_FULL))
    by_system = fault("cannot append", OSError(errno.ENOSPC, "No space left on device"))
    assert by_sqlite.args == by_system.args


def test_damage_is_no_matter_of_trying_again() -> None:
    """A damaged file is a ValueError, whatever else is unknown an OSError."""
    assert isinstance(fault("x", error_of(sqlite3.SQLITE_CORRUPT)), ValueError)
    assert isinstance(fault("x", error_of(sqlite3.SQLITE_NOTADB)), ValueError)
    assert isinstance(fault("x", error_of(sqlite3.SQLITE_IOERR)), OSError)


def test_a_locked_file_is_told_as_such(tmp_path: Path) -> None:
    """The code of a real locked database is found in the table."""
    one, other = (sqlite3.connect(tmp_path / "db", isolation_level=None, timeout=0) for _ in range(2))
    one.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError) as caught:
        other.execute("BEGIN IMMEDIATE")
    made = fault("cannot append", caught.value)
    assert isinstance(made, OSError)
    assert made.errno == errno.EAGAIN
    one.close()
    other.close()
