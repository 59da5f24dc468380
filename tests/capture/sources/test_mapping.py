"""A file in memory under a lease: windows, what ends them, who does not get one."""

import errno
import fcntl
import mmap
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from capture.sources.mapping import WINDOW, Mapping


def made(path: Path, size: int) -> bytes:
    data = np.random.default_rng(7).bytes(size)
    path.write_bytes(data)
    return data


def test_windows_hold_the_files_bytes(tmp_path):
    """From any byte on: the page it lies in and what follows, at most a window, to the file's end."""
    path = tmp_path / "file"
    data = made(path, WINDOW + 3 * mmap.PAGESIZE + 5)
    with path.open("rb") as file:
        mapping = Mapping(file.fileno())
        assert mapping.size == len(data)
        for at in (0, 1, mmap.PAGESIZE, WINDOW - 1, WINDOW + 7, len(data) - 1):
            window, offset = mapping.window(at)
            assert offset == at // mmap.PAGESIZE * mmap.PAGESIZE
            assert window.tobytes() == data[offset : offset + WINDOW]


def test_the_file_stays_what_it_is(tmp_path):
    """What is written into a window never reaches the file."""
    path = tmp_path / "file"
    data = made(path, 5_000)
    with path.open("rb") as file:
        window, _ = Mapping(file.fileno()).window(0)
        window[:] = 0
        assert path.read_bytes() == data


def test_a_writer_ends_it(tmp_path):
    """Who opens the file to write waits until the lease is given back; from then on there is no window."""
    path = tmp_path / "file"
    made(path, 5_000)
    with path.open("rb") as file:
        mapping = Mapping(file.fileno())
        writer = subprocess.Popen([sys.executable, "-c", f"open({str(path)!r}, 'r+b').truncate(10)"])
        while fcntl.fcntl(file.fileno(), fcntl.F_GETLEASE) == fcntl.F_RDLCK:
            assert writer.poll() is None
        with pytest.raises(OSError, match="another program writes") as told:
            mapping.window(0)
        assert told.value.errno == errno.EAGAIN
        assert path.stat().st_size == 5_000
        mapping.close()
        assert writer.wait(20) == 0
        assert path.stat().st_size == 10


def test_no_lease_on_what_is_written_to(tmp_path):
    """A file that someone has open to write can't be leased."""
    path = tmp_path / "file"
    made(path, 10)
    with path.open("ab"), path.open("rb") as file, pytest.raises(OSError, match="unavailable"):
        Mapping(file.fileno())
