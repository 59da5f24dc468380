"""`spanwatch warm`: compile every kernel into the cache, by sending captures through all of them."""

import contextlib
import os
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numba.core import event

from pipeline.kernels import CACHE
from pipeline.settings import SensorSettings, Settings
from spanwatch.demo import CAPTURE
from spanwatch.progress import waiting_for

#: Written when everything is compiled; the cache's folder changes with the kernels' source.
STAMP = CACHE / "warm"

#: The smallest pcapng file with a frame: section header, interface (Ethernet), enhanced packet of 60 bytes
#: (draft-ietf-opsawg-pcapng).
PCAPNG = (
    struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    + struct.pack("<IIHHII", 1, 20, 1, 0, 65_535, 20)
    + struct.pack("<IIIIIII60sI", 6, 92, 0, 0, 1, 60, 60, b"\xff" * 12 + b"\x08\x06", 92)
)
LISTS = '[[lists]]\nname = "warm"\nfile = "warm.txt"\nformat = "domains"\ncategories = ["games"]\n'


def is_warm() -> bool:
    """Whether this source's kernels have all been compiled into the cache."""
    return STAMP.exists()


class _Compiling(event.Listener):
    """Tells which kernel is being compiled."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.count = 0

    def on_start(self, happened: Any) -> None:
        self.count += 1
        name = happened.data["dispatcher"].py_func.__name__
        self._say(f"compiling the kernels, once for this version: {self.count}, {name}")

    def on_end(self, happened: Any) -> None:
        pass


def _capture(path: Path, classify: Callable[..., object]) -> None:
    from capture.sensor import Sensor
    from capture.sources.pcap import open_capture

    sensor = Sensor(SensorSettings(name="warm", flows=1_024, heads=64), "warm")

    def judge(batches: Iterator[Any]) -> None:
        for records, batch in batches:
            classify(records, batch, "warm")

    with open_capture(str(path)) as capture:
        for frames in capture:
            judge(sensor.feed(frames))
    judge(sensor.tick(time.time_ns() // 1_000))
    judge(sensor.finish())


def _ring() -> None:
    """A ring on the loopback interface, where we may open one."""
    import socket

    from capture.sources.ring import Ring

    with contextlib.suppress(PermissionError), Ring("lo", 1 << 20) as ring:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", ("127.0.0.1", 9))
        ring.poll(1.0)


def _everything() -> None:
    from classifiers.classify import Classifier
    from classifiers.policy import load_policy
    from spanwatch.services import open_classifier

    _capture(CAPTURE, open_classifier(Settings()).classify)
    with tempfile.TemporaryDirectory(prefix="spanwatch-") as name:
        folder = Path(name)
        (folder / "sources.toml").write_text(LISTS)
        (folder / "warm.txt").write_text("warm.example\n")
        (folder / "one.pcapng").write_bytes(PCAPNG)
        # A mapped list is another type to the compiler than one that was just built.
        from blocklists.lists import load_matcher

        _capture(folder / "one.pcapng", Classifier(load_policy(), load_matcher(folder)).classify)
    _ring()


def run_warm() -> None:
    """Compile what isn't compiled yet; immediate where everything is. Raises OSError."""
    if is_warm():
        print(f"compiled code is ready in {CACHE}")
        return
    started = time.monotonic()
    print("compiling the kernels, once for this version: a minute or two", flush=True)
    with waiting_for("compiling the kernels") as say:
        listener = _Compiling(say)
        with event.install_listener("numba:compile", listener):
            _everything()
    CACHE.mkdir(parents=True, exist_ok=True)
    stamp = STAMP.with_suffix(f".{os.getpid()}")
    stamp.write_text("")
    stamp.replace(STAMP)
    print(f"compiled {listener.count} kernels in {time.monotonic() - started:.0f} s into {CACHE}")
