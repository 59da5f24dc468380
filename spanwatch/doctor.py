"""`spanwatch doctor`: is this machine ready? One line a check: ok, warn or fail, and the mend."""

import array
import fcntl
import importlib.util
import os
import shutil
import socket
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from capture.clock import system_clock
from pipeline.settings import Settings
from spanwatch.check import FAIL, OK, WARN, Check
from spanwatch.listening import Heard, listen
from spanwatch.sensing import INTERFACES, check_interface
from spanwatch.services import bind, make_state, open_judge, worker_running

COLOURS = {OK: "green", WARN: "yellow", FAIL: "red"}

#: linux/sockios.h
SIOCETHTOOL = 0x8946
#: linux/ethtool.h: ETHTOOL_GGRO, ETHTOOL_GFLAGS and its bit ETH_FLAG_LRO
ETHTOOL_GGRO, ETHTOOL_GFLAGS, ETH_FLAG_LRO = 0x2B, 0x25, 1 << 15
#: linux/if.h
IFF_UP = 1 << 0
#: Frames longer than this on the wire are cut by a mirror with a small MTU. 802.1Q and 802.1ad tags: 8 bytes.
FULL_MTU = 1500
#: Bytes free below which the disk is a failure. Our default.
LITTLE_DISK = 1 << 30
#: Bytes of the sensor's table for a flow, a name's included, and for a stream head with its share of QUIC
#: handshakes; rounded up (capture/table.py).
FLOW_BYTES, HEAD_BYTES = 920, 17_300
#: What a sensor takes beside: tables of fixed size, and the process with its compiled code. Measured, rounded
#: up.
FIXED_BYTES = (180 + 300) << 20
#: Shares of what is heard on the mirror that are a warning: duplicates, one-sided connections, cut frames,
#: frames not decoded. Our defaults.
DUPLICATES, ONE_SIDED, TRUNCATED, UNKNOWN = 0.01, 0.5, 0.01, 0.2
#: Connections needed before anything is said about their sides; our default.
CONNECTIONS = 20


def _ethtool(interface: str, question: int) -> int | None:
    """Answer of the driver; None where it has none."""
    value = array.array("I", [question, 0])
    request = struct.pack("16sP16x", interface.encode(), value.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        try:
            fcntl.ioctl(handle, SIOCETHTOOL, request)
        except OSError:
            return None
    return value[1]


def privileges(_settings: Settings) -> Iterator[Check]:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        yield Check(
            "privileges", FAIL, "no raw sockets", "run as root, or give CAP_NET_RAW (deploy/ has units)"
        )
    else:
        yield Check("privileges", OK, "raw sockets can be opened")


def interface(settings: Settings) -> Iterator[Check]:
    name = settings.sensor.interface
    if not name:
        yield Check("interface", WARN, "none is set", "give --interface, or set sensor.interface")
        return
    try:
        check_interface(name)
    except PermissionError:
        pass
    except ValueError as error:
        what, _, mend = str(error).partition("; ")
        yield Check("interface", FAIL, what, mend)
        return
    folder = INTERFACES / name
    if int((folder / "flags").read_text(), 16) & IFF_UP:
        yield Check("interface", OK, f"{name} is up")
    else:
        yield Check("interface", FAIL, f"{name} is down", f"ip link set {name} up promisc on")
    mtu = int((folder / "mtu").read_text())
    if mtu < FULL_MTU:
        yield Check(
            "mtu", WARN, f"{mtu}: longer frames of the mirror are dropped", f"ip link set {name} mtu 1600"
        )
    else:
        yield Check("mtu", OK, str(mtu))
    merging = [
        ("gro", _ethtool(name, ETHTOOL_GGRO)),
        ("lro", (_ethtool(name, ETHTOOL_GFLAGS) or 0) & ETH_FLAG_LRO),
    ]
    on = [what for what, value in merging if value]
    if on:
        mend = f"ethtool -K {name} {' '.join(f'{what} off' for what in on)}"
        yield Check(
            "offloads", WARN, f"{', '.join(on)} on: frames arrive merged, longer than the wire's", mend
        )
    else:
        yield Check("offloads", OK, "gro and lro are off")


def judge(heard: Heard, seconds: float) -> Iterator[Check]:
    """What `seconds` of listening say about the mirror."""
    if not heard.frames:
        mend = "check the switch: is the mirror session on, and is this its target port?"
        yield Check("mirror", WARN, f"nothing was heard in {seconds:g} s", mend)
        return
    yield Check("mirror", OK, f"{heard.frames / seconds:,.0f} frames/s over {seconds:g} s")
    if heard.dropped:
        mend = "stop what else takes this machine's CPU, or set sensor.processes"
        yield Check("drops", WARN, f"the kernel had no room for {heard.dropped:,} frames", mend)
    else:
        yield Check("drops", OK, "none")
    share = heard.duplicates / heard.frames
    if share > DUPLICATES:
        mend = "mirror ports or a VLAN, not both, and in one direction of each port; the sensor drops copies"
        yield Check("duplicates", WARN, f"{share:.0%} of the frames come twice", mend)
    else:
        yield Check("duplicates", OK, f"{heard.duplicates:,} frames came twice")
    if heard.connections < CONNECTIONS:
        yield Check("directions", OK, f"only {heard.connections} connections were heard: too few to tell")
    elif heard.one_sided > ONE_SIDED * heard.connections:
        mend = "mirror both directions (rx and tx), and every link of a bundle"
        text = f"{heard.one_sided:,} of {heard.connections:,} connections have one side only"
        yield Check("directions", WARN, text, mend)
    else:
        text = f"both sides of {heard.connections - heard.one_sided:,} of {heard.connections:,} connections"
        yield Check("directions", OK, text)
    if heard.truncated > TRUNCATED * heard.frames:
        mend = (
            "mirror whole frames: no truncation at the switch, and an MTU that takes the mirror's own headers"
        )
        yield Check("whole frames", WARN, f"{heard.truncated:,} frames are cut off", mend)
    if heard.unknown > UNKNOWN * heard.frames:
        mend = "if the mirror comes in a tunnel, docs/protocols.md says which are read"
        yield Check("decoded", WARN, f"{heard.unknown:,} frames are of a kind that is not decoded", mend)


def mirror(settings: Settings, seconds: float) -> Iterator[Check]:
    """Listen on the interface, where there is one and it may be listened on."""
    if not settings.sensor.interface or not seconds:
        return
    try:
        heard = listen(settings.sensor, seconds)
    except OSError as error:
        what, _, mend = str(error).partition("; ")
        yield Check("mirror", WARN, what, mend)
    else:
        yield from judge(heard, seconds)


def memory(settings: Settings) -> Iterator[Check]:
    sensor = settings.sensor
    tables = sensor.flows * FLOW_BYTES + sensor.heads * HEAD_BYTES
    need = sensor.processes * (sensor.ring_bytes + tables + FIXED_BYTES)
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    text = (
        f"the sensor takes up to {need >> 20} MiB (ring {sensor.ring_bytes >> 20}), {free >> 20} MiB are free"
    )
    if need > free // 2:
        yield Check("memory", WARN, text, "lower sensor.ring_bytes, sensor.flows or sensor.heads")
    else:
        yield Check("memory", OK, text)


def clock(_settings: Settings) -> Iterator[Check]:
    try:
        synchronised = system_clock().synchronised
    except OSError:
        yield Check(
            "clock", WARN, "the kernel does not say whether it is synchronised", "check chronyd or ntpd"
        )
        return
    if synchronised:
        yield Check("clock", OK, "synchronised")
    else:
        yield Check("clock", WARN, "not synchronised: times can't be compared", "install chrony, or start it")


def disk(settings: Settings) -> Iterator[Check]:
    try:
        make_state(settings.state)
        probe = settings.state / f".doctor.{os.getpid()}"
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
    except OSError as error:
        yield Check(
            "state", FAIL, f"{settings.state}: {error}", "make it writable, or choose another --state"
        )
        return
    free = shutil.disk_usage(settings.state).free
    text = f"{settings.state}: {free >> 20} MiB free, the log may take {settings.stream.log_bytes >> 20}"
    if free < LITTLE_DISK:
        yield Check("disk", FAIL, text, "free some space, or choose another --state")
    elif free < 2 * settings.stream.log_bytes:
        yield Check("disk", WARN, text, "free some space, or lower stream.log_bytes")
    else:
        yield Check("disk", OK, text)


def rules(settings: Settings) -> Iterator[Check]:
    try:
        judge = open_judge(settings)
    except (ValueError, OSError) as error:
        what, _, mend = str(error).rpartition("; ")
        yield Check("policy and lists", FAIL, what, mend)
    else:
        yield Check("policy and lists", OK, f"policy {judge.policy.version}")


def store(settings: Settings) -> Iterator[Check]:
    if importlib.util.find_spec("chdb") is None:
        yield Check(
            "store", WARN, "no server packages: this host can only capture", "make setup EXTRAS=server"
        )
        return
    from pipeline.store.client import embedded_folder, is_made

    if embedded_folder(settings.store_dsn) and worker_running(settings):
        yield Check("store", OK, "held by the spanwatch that runs")
        return
    if not is_made(settings):
        yield Check("store", OK, "made at the first start")
        return
    from spanwatch.store_checks import check_store

    yield from check_store(settings)


def kafka(settings: Settings) -> Iterator[Check]:
    if not settings.stream.kafka.brokers:
        return
    if importlib.util.find_spec("kafka") is None:
        yield Check("brokers", FAIL, "no kafka-python", "make setup EXTRAS=sensor, or server")
        return
    from spanwatch.kafka_checks import check_kafka

    yield from check_kafka(settings)


def port(settings: Settings) -> Iterator[Check]:
    try:
        bind(settings.api.host, settings.api.port).close()
    except (OSError, ValueError) as error:
        what, _, mend = str(error).partition("; ")
        level = WARN if worker_running(settings) else FAIL
        yield Check("port", level, what, mend)
    else:
        yield Check("port", OK, f"{settings.api.host}:{settings.api.port} is free")


def compiled(_settings: Settings) -> Iterator[Check]:
    from pipeline.kernels import CACHE
    from spanwatch.warm import is_warm

    if is_warm():
        yield Check("compiled code", OK, str(CACHE))
    else:
        yield Check("compiled code", WARN, "not in the cache: the first start takes longer", "spanwatch warm")


CHECKS: tuple[Callable[[Settings], Iterator[Check]], ...] = (
    privileges, interface, memory, clock, disk, rules, kafka, store, port, compiled,
)  # fmt: skip


def run_doctor(settings: Settings, listen_s: float = 0) -> bool:
    """Print a line for each check; whether none failed. Listens on the interface for `listen_s` seconds."""
    console = Console(soft_wrap=True)
    good = True
    checks: list[Callable[[Settings], Iterator[Check]]] = [*CHECKS, partial(mirror, seconds=listen_s)]
    for check in checks:
        for name, level, text, mend in check(settings):
            good = good and level != FAIL
            say = f"{escape(text)}; [bold]{escape(mend)}[/]" if mend else escape(text)
            console.print(f"[{COLOURS[level]}]{level:<4}[/] {name}: {say}", highlight=False)
    return good
