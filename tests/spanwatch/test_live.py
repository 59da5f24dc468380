"""`spanwatch up` on a mirror port: every frame counted, privileges gone, a clean end, restarts."""

import contextlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.settings import KafkaSettings, Settings
from pipeline.store.client import open_store
from pipeline.stream.log import Log
from pipeline.stream.message import decode
from spanwatch.cli import DONE, FAILED
from tests.pipeline.stores import made_state
from tests.services.kafka import Kafka, missing
from tests.services.topics import kept
from tests.spanwatch.program import COMMAND, environment, one_line, run

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("ip") is None,
        reason="interfaces and raw sockets need root and iproute2",
    ),
]

ETH_P_ALL = 3


@pytest.fixture
def mirror() -> Iterator[tuple[str, str]]:
    """A veth pair without addresses: frames sent into the first arrive at the second."""
    near, far = "swliv0", "swliv1"
    subprocess.run(["ip", "link", "add", near, "type", "veth", "peer", "name", far], check=True)
    try:
        for name in (near, far):
            Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
            subprocess.run(["ip", "link", "set", name, "up"], check=True)
        yield near, far
    finally:
        subprocess.run(["ip", "link", "del", near], check=True)


def _frame(number: int) -> bytes:
    """A UDP datagram of 500 bytes of payload between two of 200 hosts."""
    payload = b"x" * 500
    udp = struct.pack("!HHHH", 40_000 + number % 1_000, 50_000, 8 + len(payload), 0) + payload
    addresses = bytes([10, 20, 0, number % 200 + 1]) + bytes([198, 51, 100, 7])
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), number & 0xFFFF, 0, 64, 17, 0) + addresses
    return b"\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02\x08\x00" + head + udp


def _send(interface: str, count: int) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((interface, 0))
        for number in range(count):
            sender.send(_frame(number))
            if number % 500 == 499:
                time.sleep(0.005)


def _start(state: Path, interface: str) -> subprocess.Popen[str]:
    made_state(state)
    return subprocess.Popen(
        [*COMMAND, "--state", str(state), "up", "--interface", interface, "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True,
    )  # fmt: skip


def _ready(process: subprocess.Popen[str]) -> tuple[str, str]:
    """The address of the pages and the first token."""
    assert process.stdout is not None
    said = ""
    while "token create" not in said:
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        said += line
    address, token = re.search(r"http://\S+", said), re.search(r"sw_\S+", said)
    assert address is not None
    assert token is not None
    return address.group(0), token.group(0)


def _sensor_of(process: subprocess.Popen[str]) -> int:
    """The process id of the sensor once it has dropped its privileges."""
    children = Path(f"/proc/{process.pid}/task")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for task in children.iterdir():
            for child in (task / "children").read_text().split():
                status = Path(f"/proc/{child}/status").read_text()
                if "CapEff:\t0000000000000000" in status:
                    return int(child)
        time.sleep(0.05)
    pytest.fail("the sensor never dropped its privileges")


def _listened(interface: str, sensors: int) -> None:
    """Wait until so many have joined: the kernel lists their packet sockets on the interface."""
    index = str(socket.if_nametoindex(interface))
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        rows = [line.split() for line in Path("/proc/net/packet").read_text().splitlines()[1:]]
        if sum(row[4] == index and row[5] == "1" for row in rows) == sensors:
            time.sleep(1)
            return
        time.sleep(0.2)
    pytest.fail(f"{sensors} sensors never listened")


def test_frames_sent_are_frames_counted(mirror: tuple[str, str], tmp_path: Path) -> None:
    """All frames into the mirror are counted, by a process without privileges; then a clean end."""
    process = _start(tmp_path, mirror[1])
    try:
        address, token = _ready(process)
        sensor = _sensor_of(process)
        uid = re.search(r"^Uid:\s+(\d+)", Path(f"/proc/{sensor}/status").read_text(), re.MULTILINE)
        assert uid is not None
        assert int(uid.group(1)) != 0
        _send(mirror[0], 20_000)
        asked = urllib.request.Request(f"{address}v1/health", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert answer.status == 200
        time.sleep(2)
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=90)
    assert errors == ""
    assert process.returncode == DONE
    assert not Path(f"/proc/{sensor}").exists()
    with open_store(Settings(state=tmp_path)) as store:
        health = store.rows(
            "SELECT sum(packets) AS n, sum(dropped_kernel + dropped_ring) AS lost FROM health"
        )
        flows = store.rows(
            "SELECT sum(packets_up + packets_down) AS n, sum(bytes_up + bytes_down) AS b FROM flows"
        )
    assert health == [{"n": 20_000, "lost": 0}]
    assert flows == [{"n": 20_000, "b": 20_000 * 528}]


def test_sensor_ends_while_frames_still_come(mirror: tuple[str, str], tmp_path: Path) -> None:
    """A busy mirror port never falls silent; the sensor ends all the same, with its last health row."""
    process = _start(tmp_path, mirror[1])
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            _send(mirror[0], 500)

    sender = threading.Thread(target=send)
    try:
        _ready(process)
        _sensor_of(process)
        sender.start()
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=90)
    finally:
        stop.set()
        sender.join()
        process.kill()
    assert (process.returncode, errors) == (DONE, "")
    with open_store(Settings(state=tmp_path)) as store:
        ends = store.rows("SELECT countIf(event = 'stop') AS stops, sum(packets) > 0 AS seen FROM health")
    assert ends == [{"stops": 1, "seen": 1}]


def test_killed_sensor_comes_back(mirror: tuple[str, str], tmp_path: Path) -> None:
    """A sensor that is killed starts again by itself and counts on; what it had written is there."""
    process = _start(tmp_path, mirror[1])
    try:
        _ready(process)
        first = _sensor_of(process)
        _send(mirror[0], 5_000)
        # Long enough to count as settled, and for the batches of the first frames to be in the log.
        time.sleep(6)
        os.kill(first, signal.SIGKILL)
        time.sleep(1)
        second = _sensor_of(process)
        assert second != first
        _send(mirror[0], 5_000)
        time.sleep(2)
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=90)
    assert "the sensor ended (exit code -9); again in" in errors
    assert process.returncode == DONE
    with open_store(Settings(state=tmp_path)) as store:
        boots = store.rows("SELECT uniqExact(boot) AS n FROM health WHERE event = 'start'")
        second_half = store.rows("SELECT packets FROM health WHERE event = 'stop'")
    assert boots == [{"n": 2}]
    assert second_half[-1]["packets"] > 0


def test_killed_service_takes_its_sensor_along(mirror: tuple[str, str], tmp_path: Path) -> None:
    """kill -9 of the service ends the sensor, which writes out first; the next start brings all of it."""
    process = _start(tmp_path, mirror[1])
    _ready(process)
    sensor = _sensor_of(process)
    _send(mirror[0], 5_000)
    time.sleep(1)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{sensor}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{sensor}").exists()
    again = subprocess.Popen(
        [*COMMAND, "--state", str(tmp_path), "worker"], stdout=subprocess.PIPE, env=environment(), text=True
    )
    assert again.stdout is not None
    assert again.stdout.readline() == "worker ready\n"
    again.terminate()
    assert again.wait(60) == DONE
    again.stdout.close()
    with open_store(Settings(state=tmp_path)) as store:
        flows = store.rows("SELECT sum(packets_up + packets_down) AS n FROM flows")
    assert flows == [{"n": 5_000}]


def test_no_privilege(tmp_path: Path) -> None:
    """Without CAP_NET_RAW the sensor says so in one line, with the mend."""
    os.chmod(tmp_path, 0o777)
    dropped = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--reuid", "0", "--"]
    done = subprocess.run(
        [*dropped, *COMMAND, "--state", str(tmp_path / "state"), "sensor", "--interface", "lo"],
        capture_output=True, env=environment(), timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == FAILED
    assert "CAP_NET_RAW" in one_line(done)


def test_missing_interface(tmp_path: Path) -> None:
    """`up` on an interface that isn't there ends at once, before a store is made."""
    done = run("--state", tmp_path / "state", "up", "--interface", "nonesuch0", "--port", "0")
    assert done.returncode == 2
    assert "nonesuch0" in one_line(done)
    assert not (tmp_path / "state").exists()


def test_several_processes_share_the_interface(mirror: tuple[str, str], tmp_path: Path) -> None:
    """Two sensors of one fanout group: every frame is counted once, each conversation by one of them."""
    near, far = mirror
    process = subprocess.Popen(
        [*COMMAND, "--state", str(tmp_path), "sensor", "--interface", far, "--processes", "2"],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(), text=True,
    )  # fmt: skip
    try:
        _listened(far, 2)
        _send(near, 5_000)
        time.sleep(2)
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == DONE, said
    totals: dict[str, int] = {}
    flows: dict[tuple[str, int], set[str]] = {}
    log = Log(Settings(state=tmp_path).log_file, 1 << 30)
    log.register("test")
    for entry in log.read("test", 1_000):
        batch, boot = decode(entry.message), entry.message.boot
        if entry.message.records == "health":
            totals[boot] = totals.get(boot, 0) + sum(batch["packets"].to_pylist())
        elif entry.message.records == "flows":
            for client, port in zip(
                batch["client"].to_pylist(), batch["client_port"].to_pylist(), strict=True
            ):
                flows.setdefault((client, port), set()).add(boot)
    log.close()
    assert sum(totals.values()) == 5_000
    assert len(totals) == 2
    assert min(totals.values()) > 500
    assert all(len(boots) == 1 for boots in flows.values())


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_sensor_with_brokers_relays_its_log(mirror: tuple[str, str], tmp_path: Path) -> None:
    """Sensor and relay start and end together; what the sensor wrote last is on the topics, too."""
    near, far = mirror
    with Kafka(tmp_path / "kafka") as kafka:
        settings = KafkaSettings(brokers=kafka.addresses, replication=1, min_insync=1, partitions=3)
        variables = {
            "SPANWATCH_STREAM__KAFKA__BROKERS": ",".join(kafka.addresses),
            "SPANWATCH_STREAM__KAFKA__REPLICATION": "1",
            "SPANWATCH_STREAM__KAFKA__MIN_INSYNC": "1",
            "SPANWATCH_STREAM__KAFKA__PARTITIONS": "3",
        }
        state = tmp_path / "state"
        process = subprocess.Popen(
            [*COMMAND, "--state", str(state), "sensor", "--interface", far],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(**variables), text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("relay ready")
            _listened(far, 1)
            _send(near, 5_000)
            time.sleep(1)
        finally:
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=60)[1]
        assert process.returncode == DONE, said
        found = [one.message for one in kept(settings)]
    packets = sum(sum(decode(one)["packets_up"].to_pylist()) for one in found if one.records == "flows")
    events = [event for one in found if one.records == "health" for event in decode(one)["event"].to_pylist()]
    assert packets == 5_000
    assert (events[0], events[-1]) == ("start", "stop")
    with contextlib.closing(Log(Settings(state=state).log_file, 1 << 30)) as log:
        assert log.waiting("relay") == (0, 0)
