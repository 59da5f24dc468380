"""From the last packet of a scan to its finding, live: `python -m benchmarks.latency [--runs 5]`, as root.

`spanwatch up` listens at one end of a veth pair; at the other nmap tries 256 hosts of which none answers, or
200 ports of one that refuses them all, by turns and from another address each time. The API is asked twice
a second whether the finding is there. Prints seconds from the last packet that nmap sent, their median and
maximum.
"""

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

SCANNER, WATCHER, NEAR, FAR = "swlatency1", "swlatency0", "swlat1", "swlat0"
GATEWAY = "02:00:00:00:00:01"
SCANS = {
    "silent hosts": ("-sS", "-Pn", "-n", "-T4", "-p", "445", "10.11.0.0/24"),
    "closed ports": ("-sS", "-Pn", "-n", "-T4", "-p", "1-200", "10.10.0.5"),
}
#: Seconds that a finding may take before it is given up.
PATIENCE_S = 120


def run(*command: str) -> str:
    """Output of a command that must succeed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def inside(space: str, *command: str) -> str:
    return run("ip", "netns", "exec", space, *command)


def wire(stack: ExitStack) -> None:
    """Two namespaces and a veth pair; 10.10.0.0/24 is the watcher's and refuses, 10.11.0.0/24 is nobody's."""
    for space in (SCANNER, WATCHER):
        run("ip", "netns", "add", space)
        stack.callback(run, "ip", "netns", "del", space)
        inside(space, "ip", "link", "set", "lo", "up")
    run("ip", "link", "add", NEAR, "netns", SCANNER, "type", "veth", "peer", "name", FAR, "netns", WATCHER)
    inside(WATCHER, "ip", "link", "set", FAR, "address", GATEWAY, "up")
    inside(SCANNER, "ip", "link", "set", NEAR, "up")
    inside(WATCHER, "ip", "address", "add", "10.20.0.1/16", "dev", FAR)
    inside(WATCHER, "ip", "route", "add", "local", "10.10.0.0/24", "dev", "lo")
    inside(WATCHER, "ethtool", "-K", FAR, "gro", "off")
    inside(SCANNER, "ip", "address", "add", "10.20.0.2/16", "dev", NEAR)
    inside(SCANNER, "ip", "neigh", "add", "10.20.0.1", "lladdr", GATEWAY, "dev", NEAR, "nud", "permanent")
    inside(SCANNER, "ip", "route", "add", "default", "via", "10.20.0.1")


def scan(address: str, options: tuple[str, ...]) -> float:
    """Time of the last packet that nmap sent, from that address."""
    inside(SCANNER, "ip", "address", "add", f"{address}/16", "dev", NEAR)
    begun = time.time()
    said = inside(SCANNER, "nmap", "--packet-trace", "-S", address, "-e", NEAR, *options)
    return begun + max(float(second) for second in re.findall(r"SENT \(([\d.]+)s\)", said))


def found(token: str, port: int, address: str) -> str:
    """Detector of a finding about the address, empty where there is none yet."""
    url = f"http://127.0.0.1:{port}/v1/findings?limit=500"
    said = inside(WATCHER, "curl", "-s", "-H", f"Authorization: Bearer {token}", url)
    rows = json.loads(said).get("rows", [])
    return next((row["detector"] for row in rows if row["subject"] == address), "")


def main() -> int:
    """Exit code 0 if every scan was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="of each kind of scan")
    options = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("nmap") is None:
        sys.exit("this needs root and nmap; install nmap and run as root")
    port, taken = 8_080, []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spanwatch-latency-")))
        folder.chmod(0o755)
        wire(stack)
        program = [sys.executable, "-m", "spanwatch", "--state", str(folder / "state")]
        (folder / "state").mkdir()
        told = run(*program, "token", "create", "latency", "--role", "engineer", "--role", "auditor")
        token = told.split()[-1]
        command = ["ip", "netns", "exec", WATCHER, *program, "up", "--interface", FAR, "--port", str(port)]
        service = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        stack.callback(service.wait)
        stack.callback(service.send_signal, signal.SIGTERM)
        while not ready(port):
            if service.poll() is not None:
                sys.exit("spanwatch ended; run `spanwatch doctor`")
            time.sleep(1)
        time.sleep(5)
        for number in range(options.runs):
            for place, (kind, what) in enumerate(SCANS.items()):
                address = f"10.20.{7 + place}.{10 + number}"
                sent = scan(address, what)
                while not (detector := found(token, port, address)) and time.time() - sent < PATIENCE_S:
                    time.sleep(0.5)
                taken.append(time.time() - sent if detector else float("inf"))
                print(f"{kind}: {detector or 'nothing'} after {taken[-1]:.1f} s", flush=True)
    print(f"median {statistics.median(taken):.1f} s, most {max(taken):.1f} s of {len(taken)} scans")
    return 0 if max(taken) < PATIENCE_S else 1


def ready(port: int) -> bool:
    """Whether the sensor listens and the pages answer."""
    sockets = inside(WATCHER, "cat", "/proc/net/packet").splitlines()[1:]
    answered = subprocess.run(
        ["ip", "netns", "exec", WATCHER, "curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{port}/healthz"],
        check=False,
    )
    return bool(sockets) and answered.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
