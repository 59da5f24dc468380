"""Listening on a mirror port: what the doctor is told."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.settings import SensorSettings
from spanwatch.listening import Heard, listen
from tests.capture.packets import ACK, Conversation

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("ip") is None,
        reason="interfaces and raw sockets need root and iproute2",
    ),
]


@pytest.fixture
def mirror() -> Iterator[tuple[str, str]]:
    """A veth pair: frames sent into the first arrive at the second."""
    near, far = "swlis0", "swlis1"
    subprocess.run(["ip", "link", "add", near, "type", "veth", "peer", "name", far], check=True)
    try:
        for name in (near, far):
            Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
            subprocess.run(["ip", "link", "set", name, "up"], check=True)
        yield near, far
    finally:
        subprocess.run(["ip", "link", "del", near], check=True)


def _heard(mirror: tuple[str, str], frames: list[bytes]) -> Heard:
    near, far = mirror
    ended = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind((near, 0))
            # The listener is there once the kernel lists its socket.
            index = str(socket.if_nametoindex(far))
            while not ended.is_set():
                with open("/proc/net/packet") as table:
                    if any(line.split()[4] == index for line in table.readlines()[1:]):
                        break
                time.sleep(0.02)
            time.sleep(0.3)
            for frame in frames:
                sender.send(frame)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        return listen(SensorSettings(interface=far), 3.0)
    finally:
        ended.set()
        sender.join()


def _talk(number: int) -> Conversation:
    return Conversation(sport=2_000 + number).open().up(ACK, b"x" * 100).down(ACK, b"y" * 100).close()


def test_both_directions_are_heard(mirror: tuple[str, str]) -> None:
    """Whole connections: every frame, none twice, none one-sided."""
    frames = [packet.data for number in range(30) for packet in _talk(number).packets]
    heard = _heard(mirror, frames)
    assert (heard.frames, heard.duplicates, heard.dropped) == (len(frames), 0, 0)
    assert (heard.connections, heard.one_sided) == (30, 0)


def test_a_mirror_of_one_direction_that_copies(mirror: tuple[str, str]) -> None:
    """The clients' frames alone, each sent twice: as many copies as frames, every connection one-sided."""
    frames = []
    for number in range(30):
        talk = Conversation(sport=2_000 + number).up(2).up(ACK).up(ACK, b"x" * 100).up(ACK, b"y" * 9)
        frames += [packet.data for packet in talk.packets for _ in range(2)]
    heard = _heard(mirror, frames)
    assert heard.frames == len(frames)
    assert heard.duplicates == len(frames) // 2
    assert (heard.connections, heard.one_sided) == (30, 30)
