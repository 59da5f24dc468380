"""What SQLite's errors mean for a log, and how to mend them."""

import errno
import sqlite3

#: A process waits so long for another one's transaction, seconds. Our default.
BUSY_S = 30.0

FULL = "the disk is full; free space there or lower stream.log_bytes"
#: SQLite's primary result codes (sqlite.org/rescode.html): errno, and how to mend it.
MENDS: dict[int, tuple[int, str]] = {
    sqlite3.SQLITE_FULL: (errno.ENOSPC, FULL),
    sqlite3.SQLITE_BUSY: (errno.EAGAIN, f"another process held it for {BUSY_S:.0f} s; end that process"),
    sqlite3.SQLITE_LOCKED: (errno.EAGAIN, "another process holds it; end that process"),
    sqlite3.SQLITE_READONLY: (errno.EROFS, "it can't be written; give this user the file and its folder"),
    sqlite3.SQLITE_CANTOPEN: (errno.EACCES, "it can't be opened; give this user the file and its folder"),
    sqlite3.SQLITE_PERM: (errno.EACCES, "no permission; give this user the file and its folder"),
}


def fault(what: str, error: sqlite3.Error | OSError) -> Exception:
    """OSError or, for a file that is no log or damaged, ValueError: `what` failed, and the mend."""
    if isinstance(error, OSError):
        mend = FULL if error.errno == errno.ENOSPC else f"{error.strerror}; check the disk"
        return OSError(error.errno, f"{what}: {mend}")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in MENDS:
        number, mend = MENDS[code]
        return OSError(number, f"{what}: {mend}")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return ValueError(
            f"{what}: it is no log or is damaged ({error}); move the file away, a new one is made"
        )
    return OSError(errno.EIO, f"{what}: {error}; check the disk")
