"""Lock files: one process at a time, and who it is."""

import fcntl
import os
from collections.abc import Callable
from typing import TextIO


def hold(file: TextIO, busy: Callable[[str], str]) -> None:
    """Locks a file, opened as `a+`, until it is closed, and notes this process in it.

    Where another process has it: raises OSError with what `busy` says, given that process's id.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise OSError(busy(file.read().strip() or "unknown")) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
