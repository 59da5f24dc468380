"""Threads and processes that belong to one process: started, watched, ended, their failures not lost."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

#: Seconds a sensor must have run for its next start to be a restart rather than a failed start.
SETTLED_S = 5.0
#: Longest pause between two restarts.
BACKOFF_MAX_S = 60.0
#: Seconds a process gets to write out what it holds before it is ended for good.
FLUSH_S = 20.0


@contextlib.contextmanager
def running(name: str, run: Callable[[threading.Event], object], stop: threading.Event) -> Iterator[None]:
    """`run(event)` in a thread for the length of the block; at its end the event is set and it is waited for.

    Where `run` raises, `stop` is set, and the exception comes out of the block's end.
    """
    own_stop = threading.Event()
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            run(own_stop)
        except BaseException as error:
            failures.append(error)
            stop.set()

    thread = threading.Thread(target=guarded, name=name)
    thread.start()
    try:
        yield
    finally:
        own_stop.set()
        thread.join()
        # What stopped the block matters more than that the block was stopped.
        if failures:
            raise failures[0]


@contextlib.contextmanager
def child(arguments: list[str], stdout: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that sees its standard input close when we end, however that happens.

    It gets no signal of the terminal; at the block's end it is asked to stop, then ended.
    """
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=stdout, start_new_session=True)
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(FLUSH_S)
                except subprocess.TimeoutExpired:
                    process.kill()


def failure(code: int, what: str = "sensor") -> OSError:
    """The error of a process that ended by itself; it has had its own line, unless a signal ended it.

    ChildProcessError carries the exit code and nothing more to say.
    """
    if code < 0:
        return OSError(f"the {what} process was ended by signal {-code}; start again")
    return ChildProcessError(code)


def keep_running(arguments: list[str], stop: threading.Event, what: str = "sensor") -> None:
    """Start the process, and start it again with growing pauses, until `stop`.

    Raises as `failure` says where it ends before it ran for `SETTLED_S`: it will not do better again.
    """
    pause, settled = 1.0, False
    while not stop.is_set():
        started = time.monotonic()
        with child(arguments) as process:
            while process.poll() is None and not stop.wait(0.2):
                pass
        if stop.is_set():
            return
        lived = time.monotonic() - started
        settled = settled or lived >= SETTLED_S
        if not settled:
            raise failure(process.returncode, what)
        pause = 1.0 if lived >= BACKOFF_MAX_S else min(pause * 2, BACKOFF_MAX_S)
        print(
            f"spanwatch: the {what} ended (exit code {process.returncode}); again in {pause:.0f} s",
            file=sys.stderr,
        )
        stop.wait(pause)
