"""The sensor process: a mirror port, or captures, into the log. It opens no store and serves nothing."""

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pipeline.settings import Settings, SettingsError
from spanwatch.invocation import Invocation
from spanwatch.relaying import relaying
from spanwatch.services import make_state, stopped_by_signals
from spanwatch.supervision import keep_running, running

INTERFACES = Path("/sys/class/net")


def check_interface(interface: str) -> None:
    """Raises SettingsError (no such interface) or PermissionError (no raw sockets) with a mend."""
    there = ", ".join(sorted(path.name for path in INTERFACES.iterdir()))
    if not interface:
        raise SettingsError(f"no interface is set; give --interface, one of: {there}")
    if not (INTERFACES / interface).exists():
        raise SettingsError(f"there is no interface {interface}; give --interface one of: {there}")
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        raise PermissionError(
            f"capturing on {interface} needs CAP_NET_RAW; run as root, or as the service in deploy/"
        ) from None


def stop_with_parent() -> None:
    """From now on the kernel sends SIGTERM when standard input closes: however the parent ends, we do too.

    PR_SET_PDEATHSIG would not do, the kernel clears it when the sensor drops its privileges; nor would
    a thread, which would keep them. Standard input must be a pipe.
    """
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETSIG, signal.SIGTERM)
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:
        os.kill(os.getpid(), signal.SIGTERM)


def _report(bytes_read: int, bytes_total: int | None) -> None:
    print(json.dumps({"bytes_read": bytes_read, "bytes_total": bytes_total}), flush=True)


def run_sensors(invocation: Invocation, settings: Settings, *, supervised: bool) -> None:
    """`sensor.processes` sensors that share the interface's frames by PACKET_FANOUT, until stopped.

    The kernel gives all packets of a conversation to one of them. Each has a ring, a flow table and a boot of
    its own, and is started again where it fails. Where there is Kafka, a relay runs beside them, unless
    whoever supervises us has one. Raises OSError, SettingsError.
    """
    check_interface(settings.sensor.interface)
    make_state(settings.state)
    group = settings.sensor.fanout
    if settings.sensor.processes > 1:
        group = group or os.getpid() & 0xFFFF or 1
    command = invocation.command(
        settings.state, "sensor", "--interface", settings.sensor.interface, "--supervised",
        "--processes", "1", "--fanout", str(group),
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(stopped_by_signals())
        if supervised:
            stop_with_parent()
        else:
            stack.enter_context(relaying(invocation, settings, stop))
        for number in range(settings.sensor.processes):
            stack.enter_context(running(f"sensor {number}", partial(keep_running, command), stop))
        stop.wait()


def run_sensor(settings: Settings, files: list[str], *, supervised: bool) -> int:
    """Capture until stopped, or until the files end. Raises OSError, SettingsError.

    Returns how many files could not be read to their end; each has had its line.

    Supervised, it ends with its parent, and reports how far it is in a file as JSON lines on standard output.
    """
    if not files:
        check_interface(settings.sensor.interface)
    from pipeline.stream.log import Log

    make_state(settings.state)
    with stopped_by_signals() as stop:
        if supervised:
            stop_with_parent()
        with contextlib.closing(Log(settings.log_file, settings.stream.log_bytes)) as log:
            if not files:
                from capture.sensor import run_live

                run_live(settings.sensor, log, stop)
                return 0
            from capture.sensor import run_file

            bad = 0
            on_progress: Callable[[int, int | None], None] | None = _report if supervised else None
            for file in files:
                try:
                    trouble = run_file(file, settings.sensor, log, on_progress)
                except ValueError as error:
                    trouble = str(error)
                if trouble:
                    bad += 1
                    print(f"spanwatch: {trouble}", file=sys.stderr)
            return bad
