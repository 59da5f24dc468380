"""ClickHouse for tests: the current engine behind HTTP, and Debian's server, on free loopback ports."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.services.processes import Program, free_ports


class CurrentServer(Program):
    """The current engine in a process of its own: many workers, one store. `folder` holds data and log."""

    def __init__(self, folder: Path, password: str = "", certificate: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        [self.port] = free_ports(1)
        self._scheme = "https" if certificate else "http"
        self._password = password
        command = [sys.executable, "-m", "tests.services.clickhouse_http", str(folder), str(self.port)]
        command += ["--password", password] if password else []
        command += ["--certificate", str(certificate)] if certificate else []
        super().__init__(command, folder / "log", self._answers)

    def _answers(self) -> bool:
        if self._scheme == "https":
            from tests.services.processes import answers

            return answers(self.port)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                f"http://127.0.0.1:{self.port}/ping", timeout=5
            ) as reply:
                return bool(reply.read() == b"Ok.\n")
        except OSError:
            return False

    def dsn(self, database: str = "spanwatch") -> str:
        user = f"default:{self._password}@" if self._password else ""
        return f"{self._scheme}://{user}127.0.0.1:{self.port}/{database}"

    def slow(self, seconds: float) -> None:
        """Every statement from now on waits so long before it is looked at; 0 none."""
        delay = self.folder / "delay"
        if seconds:
            delay.write_text(str(seconds))
        else:
            delay.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


class SmallDisk:
    """A tmpfs of so many bytes on a folder, that can be filled and emptied again. Needs root."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self._ballast = folder / "ballast"

    def fill(self, leave: int = 0) -> None:
        """Fill it but for `leave` bytes."""
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(1 << 16)):
                    pass
            except OSError:
                file.truncate(max(0, file.tell() - leave))

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """Mounted while the block lasts. Raises CalledProcessError without root."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "spanwatch-test", str(folder)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield SmallDisk(folder, size)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)
