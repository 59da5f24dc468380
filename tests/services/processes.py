"""Programs that tests start: with a log, until they are ready, and gone for good at the end."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]


#: Ports below those that Linux gives away itself (32768 on): a thousand for each of pytest's workers.
_FIRST = 16_000 + 1_000 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 16)
_OFFERED = cycle(random.sample(range(_FIRST, _FIRST + 1_000), 1_000))


def free_ports(count: int) -> list[int]:
    """So many loopback ports that nobody listens on now, or is given while their program is away."""
    ports: list[int] = []
    while len(ports) < count:
        port = next(_OFFERED)
        with suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            ports.append(port)
    return ports


def answers(port: int) -> bool:
    """Whether somebody takes connections on a loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


class Program:
    """A program in a process group of its own, which ends with the thread that started it."""

    def __init__(
        self, command: Sequence[str], log: Path, ready: Callable[[], bool], seconds: float = 60
    ) -> None:
        self.command, self.log, self._ready, self._seconds = list(command), log, ready, seconds
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it is ready. Raises RuntimeError with the end of its log where it never is."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=ROOT,
            )
        end = time.monotonic() + self._seconds
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                told = self.log.read_text("utf-8", "replace")[-2_000:]
                raise RuntimeError(f"{self.command[0]} did not start:\n{told}")
            time.sleep(0.05)

    def signal(self, number: int) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def pause(self) -> None:
        """It holds its connections and does nothing until `resume`."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """kill -9, wherever it is."""
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGKILL)
            self._process.wait()

    def stop(self) -> None:
        """SIGTERM, then kill -9 for what has not ended within 20 s."""
        if self._process is None or self._process.poll() is not None:
            return
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
