"""A capture file in memory, window by window, without a copy.

Copying a file out of the page cache takes as long as all that is done to its packets' headers. But who maps a
file is ended by the system where another shortens it. So a file is mapped only under a lease (fcntl(2),
"Leases"): who opens it to write waits until the lease was given back, which happens before the next window.
Where there is no lease or no way to fill the map beforehand (another's file, a network's, one that is still
written to, Linux before 5.14), the file is read as ever.

The system lets a writer wait for 45 s at most (/proc/sys/fs/lease-break-time). Where whoever takes the frames
stands still for longer than that, and another program shortens the file meanwhile, the process ends (SIGBUS).
"""

import errno
import fcntl
import mmap
import os
import signal

import numpy as np

#: Bytes of a window; our default.
WINDOW = 8 << 20
#: madvise(2): fill the map from the page cache or the disk, and say so where that fails; Linux 5.14.
MADV_POPULATE_READ = 22


class Mapping:
    """The bytes of a plain file for as long as nobody may shorten it."""

    def __init__(self, descriptor: int) -> None:
        """Raises OSError where the file can't be leased."""
        self._descriptor = descriptor
        # Told by a signal that nobody needs to wait for: the lease is looked at before each window.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        self.size = os.fstat(descriptor).st_size
        """Bytes of the file."""

    def window(self, at: int) -> tuple[np.ndarray, int]:
        """(uint8[n], its offset in the file) with the byte `at` and what follows; valid while it is held.

        Raises OSError where another wants to write to the file, or the disk fails.
        """
        if fcntl.fcntl(self._descriptor, fcntl.F_GETLEASE) != fcntl.F_RDLCK:
            raise BlockingIOError(errno.EAGAIN, "another program writes to the file")
        offset = at - at % mmap.ALLOCATIONGRANULARITY
        # Private and writable: kernels know no arrays that can't be written to.
        window = mmap.mmap(
            self._descriptor,
            min(WINDOW, self.size - offset),
            flags=mmap.MAP_PRIVATE,
            prot=mmap.PROT_READ | mmap.PROT_WRITE,
            offset=offset,
        )
        window.madvise(MADV_POPULATE_READ)
        return np.frombuffer(window, np.uint8), offset

    def close(self) -> None:
        """Give the lease back."""
        fcntl.fcntl(self._descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
