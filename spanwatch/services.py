"""The processes: worker, API, and `up`, which is both of them and a supervised sensor.

chDB's folder belongs to one process, so worker and API share one. The sensor always has its own: it
alone needs privileges, and nothing that happens to the others may cost it a packet.
"""

import contextlib
import errno
import fcntl
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from pipeline.lock_file import hold
from pipeline.settings import Settings, SettingsError
from spanwatch.invocation import Invocation
from spanwatch.supervision import keep_running, running

if TYPE_CHECKING:
    from api.access import Access
    from classifiers.judge import Judge
    from pipeline.store.client import Store
    from pipeline.stream.log import Log
    from pipeline.stream.source import Source
    from spanwatch.reload import Reload
    from spanwatch.worker import Worker

#: Name under which a relay reads the log.
RELAY = "relay"
#: Days that the token of the first start holds.
FIRST_TOKEN_DAYS = 365


class Parts(NamedTuple):
    """What worker and API have in common."""

    source: "Source"
    store: "Store"
    judge: "Judge"
    worker: "Worker"
    reload: "Reload"

    @property
    def log(self) -> "Log":
        """The sensor's log, where the messages come from there."""
        from pipeline.stream.source import LogSource

        assert isinstance(self.source, LogSource)
        return self.source.log


def make_state(state: Path) -> None:
    """The state folder, readable by its owner alone where it is made here. Raises OSError with a mend."""
    try:
        state.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"cannot make state folder {state}: {error.strerror}; choose another with --state"
        ) from None


@contextlib.contextmanager
def only_one(settings: Settings, what: str, does: str) -> Iterator[None]:
    """Holds a lock of the state folder. Raises OSError where another process, which `does` that, has it."""
    make_state(settings.state)
    with open(settings.state / f"{what}.lock", "a+") as file:
        mend = f"{does} {settings.state}; stop it, or choose --state"
        hold(file, lambda holder: f"another spanwatch (process {holder}) {mend}")
        yield


def only_worker(settings: Settings) -> contextlib.AbstractContextManager[None]:
    """Holds the state folder's worker lock. Raises OSError where another process has it."""
    return only_one(settings, "worker", "works on")


def worker_running(settings: Settings) -> bool:
    """Whether a process holds the state folder's worker lock now."""
    try:
        with open(settings.state / "worker.lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def open_judge(settings: Settings) -> "Judge":
    """The policy and the lists in force, without what a store knows of older versions.

    Raises ValueError (broken file) with file, line and mend.
    """
    from classifiers.judge import Judge, in_force
    from spanwatch.reload import read_files

    files = read_files(settings)
    return Judge(in_force(files.policy, files.matcher))


@contextlib.contextmanager
def _log_source(settings: Settings) -> "Iterator[Source]":
    from pipeline.stream.log import Log
    from pipeline.stream.source import LogSource

    with contextlib.closing(Log(settings.log_file, settings.stream.log_bytes)) as log:
        source = LogSource(log)
        if not settings.stream.kafka.brokers:
            # Where there was Kafka: what the relay left is ours.
            source.open()
            log.forget(RELAY)
        yield source


@contextlib.contextmanager
def _kafka_source(settings: Settings) -> "Iterator[Source]":
    from pipeline.stream.consumer import KafkaSource
    from pipeline.stream.log import Log
    from pipeline.stream.source import CONSUMER

    if settings.log_file.exists():
        with contextlib.closing(Log(settings.log_file, settings.stream.log_bytes)) as log:
            # From now on the relay takes what is there; nobody must wait for us.
            log.forget(CONSUMER)
    with contextlib.closing(KafkaSource(settings.stream.kafka)) as source:
        yield source


@contextlib.contextmanager
def open_parts(settings: Settings, *, shared: bool = False) -> Iterator[Parts]:
    """A source, the store (migrated), judge, a worker over them and what reloads. Raises ValueError, OSError.

    The source is this folder's log; with `shared`, Kafka where the settings name brokers.
    """
    from classifiers.rounds import Rounds
    from pipeline.store.client import open_store
    from spanwatch.doubt import refuse_doubtful
    from spanwatch.reload import Reload, read_files
    from spanwatch.worker import Worker

    make_state(settings.state)
    # What is broken stops us before there is a store.
    files = read_files(settings)
    opened = _kafka_source if shared and settings.stream.kafka.brokers else _log_source
    with opened(settings) as source, contextlib.closing(open_store(settings)) as store:
        refuse_doubtful(source, store)
        store.migrate()
        reload = Reload(settings, files, store, notes=True)
        worker = Worker(source, store, reload.judge, Rounds(store, reload.judge))
        yield Parts(source, store, reload.judge, worker, reload)


@contextlib.contextmanager
def stopped_by_signals(then: Callable[[], None] = lambda: None) -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; `then` is called from the handler."""
    stop = threading.Event()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop.set()
        then()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def bind(host: str, port: int) -> socket.socket:
    """A bound socket, so that the port is ours before any work is done. Raises OSError with a mend."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError(f"cannot serve on {host}: {error.strerror}; give another --host") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Bound alone would let a second process with SO_REUSEADDR bind too.
        listener.listen(128)
    except OSError as error:
        listener.close()
        mend = {
            errno.EADDRINUSE: "stop the program that uses it, or give another --port",
            errno.EACCES: "ports below 1024 need root; give another --port",
        }.get(error.errno or 0, "give another --host or --port")
        raise OSError(f"cannot serve on {host}:{port}: {os.strerror(error.errno or 0)}; {mend}") from None
    return listener


def address_of(listener: socket.socket) -> str:
    """`http://host:port/` of a bound socket; a wildcard address is shown as this machine's loopback."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve_pages(
    settings: Settings,
    listener: socket.socket,
    store: "Store",
    access: "Access",
    judge: "Judge",
    stop: threading.Event,
    worker: "Worker | None" = None,
) -> None:
    """Answer on `listener` until `stop` is set; with the state of the worker of this process, if any."""
    import uvicorn

    from api.app import create_app

    status = None
    if worker is not None:
        status = lambda: worker.status | {"ready": not worker.status["error"]}  # noqa: E731
    config = uvicorn.Config(
        create_app(settings, store, access, judge, status),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    server = uvicorn.Server(config)

    def watch() -> None:
        stop.wait()
        server.should_exit = True

    thread = threading.Thread(target=watch, name="stop", daemon=True)
    thread.start()
    # The signals are ours: `stop` ends sensor, worker and API together.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    try:
        server.run(sockets=[listener])
    finally:
        stop.set()
        thread.join()


def first_token(access: "Access") -> str | None:
    """An administrator token where there is no token yet, else None. It is shown this once."""
    if access.list():
        return None
    return access.create("administrator of the first start", ["administrator"], FIRST_TOKEN_DAYS)


def announce(listener: socket.socket, token: str | None) -> None:
    print(f"pages on {address_of(listener)}", flush=True)
    if token:
        print(f"administrator token, shown this once: {token}")
        print(
            "for records make another: spanwatch token create NAME --role engineer --role auditor", flush=True
        )


def run_worker(settings: Settings) -> None:
    """Work until stopped; on what is left then, too, where nobody else would. Raises OSError, ValueError."""
    from spanwatch.reload import reloading
    from spanwatch.textfile import writing

    with (
        only_worker(settings),
        stopped_by_signals() as stop,
        open_parts(settings, shared=True) as parts,
        reloading(parts.reload, stop),
        writing(settings.state / "worker.prom", "spanwatch_worker", lambda: parts.worker.status),
    ):
        print("worker ready", flush=True)
        parts.worker.run(stop)
        parts.worker.finish()


def run_serve(settings: Settings) -> None:
    """Serve pages and API until stopped. Raises OSError, ValueError."""
    from api.access import Access
    from pipeline.store.client import open_store
    from spanwatch.reload import Reload, read_files, reloading

    make_state(settings.state)
    with stopped_by_signals() as stop, bind(settings.api.host, settings.api.port) as listener:
        files = read_files(settings)
        with (
            contextlib.closing(open_store(settings)) as store,
            contextlib.closing(Access(settings.access_file)) as access,
        ):
            store.migrate()
            # The worker, elsewhere, notes the versions.
            reload = Reload(settings, files, store, notes=False)
            announce(listener, first_token(access))
            with reloading(reload, stop):
                serve_pages(settings, listener, store, access, reload.judge, stop)


def run_up(invocation: Invocation, settings: Settings, *, with_sensor: bool = True) -> None:
    """Sensor, relay, worker and API until stopped; then the sensor writes out and the worker takes that."""
    from api.access import Access
    from spanwatch.relaying import relaying
    from spanwatch.reload import reloading
    from spanwatch.sensing import check_interface

    sensing: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if with_sensor:
        check_interface(settings.sensor.interface)
    with (
        only_worker(settings),
        stopped_by_signals() as stop,
        bind(settings.api.host, settings.api.port) as listener,
        open_parts(settings, shared=True) as parts,
        contextlib.closing(Access(settings.access_file)) as access,
        reloading(parts.reload, stop),
    ):
        if with_sensor:
            options = ("sensor", "--interface", settings.sensor.interface, "--supervised")
            sensor = partial(keep_running, invocation.command(settings.state, *options))
            sensing = running("sensor", sensor, stop)
            print(f"sensor {settings.sensor.name} on {settings.sensor.interface}", flush=True)
        announce(listener, first_token(access))
        with (
            running("worker", parts.worker.run, stop),
            # It ends after the sensor, whose last rows it has to take along.
            relaying(invocation, settings, stop) if with_sensor else contextlib.nullcontext(),
            sensing,
        ):
            serve_pages(settings, listener, parts.store, access, parts.judge, stop, parts.worker)
        parts.worker.finish()
