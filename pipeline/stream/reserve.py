"""Room on the disk that is kept free for making room."""

import errno
import os
from pathlib import Path


class Reserve:
    """A file of `size` bytes of nothing, given up when the disk is full."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size

    def there(self) -> bool:
        return self.path.exists()

    def keep(self) -> None:
        """Have the file, all its blocks taken. Raises OSError (ENOSPC: it does not fit)."""
        if self.path.exists():
            return
        try:
            with self.path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.size)
        except OSError as error:
            self.path.unlink(missing_ok=True)
            if error.errno == errno.ENOSPC:
                raise
            # A file system that cannot allocate ahead has no reserve; the rest works.

    def give_up(self) -> None:
        self.path.unlink(missing_ok=True)
