"""Room on the disk that is kept free for making room."""

import errno
import os
from contextlib import suppress
from pathlib import Path


class Reserve:
    """A file of `size` bytes of nothing, given up when the disk is full."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size

    def there(self) -> bool:
        """Whether it can be seen: a sensor that gave up its privileges may not look into the folder."""
        return os.path.exists(self.path)

    def keep(self) -> None:
        """Have the file, all its blocks taken. Raises OSError (ENOSPC: it does not fit)."""
        if self.there():
            return
        try:
            with self.path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.size)
        except OSError as error:
            with suppress(PermissionError):
                self.path.unlink(missing_ok=True)
            if error.errno == errno.ENOSPC:
                raise
            # A file system that cannot allocate ahead has no reserve; the rest works.

    def give_up(self) -> None:
        self.path.unlink(missing_ok=True)
