"""No loss on a live interface: `python -m benchmarks.live [--seconds 600] [--processes 1] [FILE]`, as root.

tcpreplay sends a capture (a made one, if none is given) in a loop as fast as it can into one end of a veth
pair, `spanwatch sensor` listens at the other. Prints what was sent, counted and lost. The machine's own speed
bounds what the sender gives.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from pipeline.settings import Settings
from pipeline.stream.log import Log
from pipeline.stream.message import decode
from spanwatch.mix import write_mix

SPACE, NEAR, FAR = "swlive", "swlive1", "swlive0"
#: Health columns that are summed.
COUNTED = ("packets", "bytes", "dropped_kernel", "dropped_ring", "duplicates", "outbox_lost")


def run(*command: str) -> str:
    """Output of a command that must succeed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def wire(stack: ExitStack) -> None:
    """A veth pair without addresses, one end in a namespace of its own."""
    run("ip", "netns", "add", SPACE)
    stack.callback(run, "ip", "netns", "del", SPACE)
    run("ip", "link", "add", FAR, "type", "veth", "peer", "name", NEAR, "netns", SPACE)
    quiet = ("sysctl", "-qw")
    run(*quiet, f"net.ipv6.conf.{FAR}.disable_ipv6=1")
    run("ip", "netns", "exec", SPACE, *quiet, f"net.ipv6.conf.{NEAR}.disable_ipv6=1")
    run("ip", "link", "set", FAR, "up")
    run("ip", "netns", "exec", SPACE, "ip", "link", "set", NEAR, "up")
    run("ethtool", "-K", FAR, "gro", "off")


def listening(processes: int) -> bool:
    """Whether as many packet sockets are bound to the far end."""
    index = str(int(Path(f"/sys/class/net/{FAR}/ifindex").read_text()))
    rows = [line.split() for line in Path("/proc/net/packet").read_text().splitlines()[1:]]
    return sum(row[4] == index for row in rows) >= processes


def counted(state: Path) -> tuple[dict[str, int], int]:
    """Sums of the health rows in the log, and rows of all kinds."""
    totals, rows = dict.fromkeys(COUNTED, 0), 0
    log = Log(Settings(state=state).log_file, 1 << 36)
    log.register("live")
    while entries := log.read("live", 50):
        for entry in entries:
            rows += entry.message.rows
            if entry.message.records == "health":
                batch = decode(entry.message)
                for name in COUNTED:
                    totals[name] += sum(batch[name].to_pylist())
        log.acknowledge("live", entries[-1].id)
    log.close()
    return totals, rows


def main() -> int:
    """Exit code 0 if every frame that was sent was counted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("tcpreplay") is None:
        sys.exit("this needs root and tcpreplay; install tcpreplay and run as root")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spanwatch-live-")))
        folder.chmod(0o755)
        if options.file is None:
            options.file = str(folder / "mix.pcap")
            write_mix(Path(options.file), 540_000)
        wire(stack)
        state = folder / "state"
        command = [sys.executable, "-m", "spanwatch", "--state", str(state), "sensor", "--interface", FAR]
        sensor = subprocess.Popen([*command, "--processes", str(options.processes)], stdin=subprocess.DEVNULL)
        stack.callback(sensor.kill)
        while not listening(options.processes):
            time.sleep(0.5)
            if sensor.poll() is not None:
                sys.exit("the sensor ended; its line stands above")
        time.sleep(2)
        said = run(
            "ip", "netns", "exec", SPACE, "tcpreplay", "-q", "--topspeed", "--preload-pcap", "--loop", "0",
            f"--duration={options.seconds}", "-i", NEAR, options.file,
        )  # fmt: skip
        time.sleep(3)
        sensor.send_signal(signal.SIGTERM)
        if sensor.wait(120):
            sys.exit("the sensor failed; its line stands above")
        totals, rows = counted(state)
    ((sent, octets, seconds),) = re.findall(r"Actual: (\d+) packets \((\d+) bytes\) sent in ([\d.]+) s", said)
    rate = int(sent) / float(seconds)
    print(f"sent {int(sent):,} frames, {int(octets):,} bytes in {float(seconds):.0f} s: {rate:,.0f} frames/s")
    print(f"counted {totals['packets']:,} frames, {totals['bytes']:,} bytes; {rows:,} rows in the log")
    print(", ".join(f"{name} {totals[name]:,}" for name in COUNTED[2:]))
    return 0 if totals["packets"] == int(sent) else 1


if __name__ == "__main__":
    sys.exit(main())
