"""`spanwatch demo`: the bundled capture through all the processes, in a state folder of its own."""

import contextlib
import fcntl
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.settings import Settings
from spanwatch.invocation import Invocation
from spanwatch.progress import file_progress, waiting_for
from spanwatch.services import (
    address_of,
    bind,
    make_state,
    open_parts,
    serve_pages,
    stopped_by_signals,
)
from spanwatch.summary import print_summary, standard_output, summarise
from spanwatch.supervision import child, failure, running

CAPTURE = Path(__file__).parent / "data" / "demo.pcap.zst"
#: What makes a folder ours to empty.
MARKER = ".spanwatch-demo"
TOKEN_DAYS = 30
#: The demo shows every page, so its token holds every role that sees something.
TOKEN_ROLES = ("engineer", "auditor", "privacy_officer", "administrator")


def demo_settings(settings: Settings) -> Settings:
    """The same settings on an own state folder and store."""
    store = settings.store.model_copy(update={"dsn": ""})
    return settings.model_copy(update={"state": settings.state / "demo", "store": store})


@contextlib.contextmanager
def fresh_state(folder: Path) -> Iterator[None]:
    """The folder, emptied and held. Raises OSError where it isn't ours to empty, or another demo holds it."""
    make_state(folder)
    marker = folder / MARKER
    if not marker.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} was not made by a demo; move it away, or choose another --state")
    with open(marker, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"another demo runs in {folder}; stop it, or choose another --state") from None
        for path in folder.iterdir():
            if path == marker:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        yield


def _sense(arguments: list[str], stop: threading.Event) -> None:
    """The capture through a sensor process, with a bar. Raises OSError where it fails."""
    with child(arguments, stdout=subprocess.PIPE) as process, file_progress("demo capture") as report:
        assert process.stdout is not None
        for line in process.stdout:
            at = json.loads(line)
            report(at["bytes_read"], at["bytes_total"])
            if stop.is_set():
                raise KeyboardInterrupt
        if process.wait() != 0:
            raise failure(process.returncode)


def run_demo(invocation: Invocation, settings: Settings, *, once: bool) -> None:
    """Do the work, print the summary and the link, serve until Ctrl-C. Raises OSError, ValueError."""
    from api.access import Access

    started = time.monotonic()
    settings = demo_settings(settings)
    make_state(settings.state.parent)
    with (
        stopped_by_signals() as stop,
        bind(settings.api.host, settings.api.port) as listener,
        fresh_state(settings.state),
        open_parts(settings) as parts,
        contextlib.closing(Access(settings.access_file)) as access,
    ):
        with running("worker", parts.worker.run, stop):
            _sense(invocation.command(settings.state, "sensor", "--supervised", str(CAPTURE)), stop)
        with waiting_for("the worker takes what is left, the detectors run"):
            parts.worker.drain()
        print_summary(summarise(parts.store), time.monotonic() - started, standard_output())
        if once:
            return
        token = access.create("demo", TOKEN_ROLES, TOKEN_DAYS)
        print(f"\n{address_of(listener)}?token={token}\nCtrl-C stops it.", flush=True)
        serve_pages(settings, listener, parts.store, access, parts.judge, stop, parts.worker)
