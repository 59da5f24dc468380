"""The network: a switch with VLANs, a gateway, an internet, hosts, and a mirror port.

Namespaces: `switch` (one bridge for each VLAN), `gateway` (routes between VLANs and to the internet, NAT),
`internet` (all outside servers), `sensor` (the mirror port's far end), and one for each host.
`docs/lab.md` draws it and says where it differs from a real switch.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.lab import vlan_tag
from tests.lab.plan import INTERNET_RANGES, INTERNET_TTL, RESOLVER, UPLINK, VLANS, Vlan

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "spanlab"
NAT = Path(__file__).with_name("configuration") / "nat.nft"


@dataclass(frozen=True)
class Host:
    """A machine of the lab: `namespace` is its name for `ip netns`, `interface` its port's name inside."""

    name: str
    namespace: str
    vlan: Vlan | None
    mac: str
    interface: str = "eth0"


def why_not() -> str:
    """Empty where a lab can be built, else the reason in one line."""
    if os.geteuid() != 0:
        return "the lab needs root for network namespaces"
    missing = [name for name in ("ip", "tc", "ethtool", "nft") if shutil.which(name) is None]
    if missing:
        return f"the lab needs {', '.join(missing)}: apt-get install iproute2 ethtool nftables"
    if not Path("/dev/net/tun").exists():
        return "the lab needs /dev/net/tun: modprobe tun"
    probe = f"{PREFIX}-probe-{os.getpid()}"
    for command in (
        ["ip", "netns", "add", probe],
        ["ip", "-n", probe, "link", "add", "br0", "type", "bridge"],
        ["ip", "-n", probe, "link", "add", "v0", "type", "veth", "peer", "name", "v1"],
        ["tc", "-n", probe, "qdisc", "add", "dev", "v0", "clsact"],
    ):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            reason = f"`{' '.join(command)}` failed: {result.stderr.strip()}"
            break
    else:
        reason = ""
    subprocess.run(["ip", "netns", "del", probe], capture_output=True, check=False)
    return reason


def mac_for(name: str) -> str:
    """A globally administered, steady hardware address for a host's name (vendor prefix 00:16:3e)."""
    tail = zlib.crc32(name.encode()) & 0xFFFFFF
    return f"00:16:3e:{tail >> 16:02x}:{tail >> 8 & 255:02x}:{tail & 255:02x}"


class Lab:
    """The network as a context manager: it stands after `with Lab() as lab:` and is gone at the block's end.

    `mirror` is the mirror port's far end, an interface in the namespace of the host `sensor`, or, with
    `mirror_in_root`, in this process's own namespace under a name of its own. Raises OSError or
    subprocess.CalledProcessError when the kernel refuses a part; what was built by then is removed.
    """

    _numbers = itertools.count(1)

    def __init__(self, *, mirror_in_root: bool = False) -> None:
        self.name = f"{PREFIX}-{os.getpid()}-{next(self._numbers)}"
        self.mirror_in_root = mirror_in_root
        self.mirror = f"mirror{os.getpid()}" if mirror_in_root else "mirror0"
        self.hosts: dict[str, Host] = {}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.path = Path()

    def __enter__(self) -> Self:
        sweep()
        self.path = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- hosts and programs

    def host(
        self, name: str, vlan: str | None = None, *, address: str | None = None, ipv6: bool = False
    ) -> Host:
        """The host of that name; made at first, with its port in `vlan` (a key of VLANS).

        With `address` it has a fixed one, the gateway as default route and the lab's resolver; without, it
        waits for DHCP. `ipv6` leaves IPv6 on (addresses come from the gateway's router advertisements).
        """
        if name in self.hosts:
            return self.hosts[name]
        if vlan is None:
            raise ValueError(f"host {name} is not in the lab yet: give its VLAN, one of {', '.join(VLANS)}")
        host = self._namespace(name, VLANS[vlan])
        self._ip(name, "link set lo up")
        port = f"port{len(self.hosts)}"
        self._ip(
            "switch",
            f"link add {port} type veth peer name {host.interface} address {host.mac} netns {host.namespace}",
        )
        self._offloads_off(name, host.interface)
        self._sysctl(
            name,
            {
                "net.ipv6.conf.all.disable_ipv6": 0 if ipv6 else 1,
                "net.ipv6.conf.default.disable_ipv6": 0 if ipv6 else 1,
                f"net.ipv6.conf.{host.interface}.disable_ipv6": 0 if ipv6 else 1,
            },
        )
        self._plug(port, VLANS[vlan])
        self._ip(name, f"link set {host.interface} up")
        if address is not None:
            self._ip(name, f"addr add {address}/{VLANS[vlan].network.prefixlen} dev {host.interface}")
            self._ip(name, f"route add default via {VLANS[vlan].gateway}")
            self.resolver(name, RESOLVER)
        return host

    def namespace(self, name: str) -> Host:
        """A namespace with nothing but loopback in it, for what is wired by hand (a network behind a NAT)."""
        host = self._namespace(name, None)
        self._ip(name, "link set lo up")
        return host

    def wire(self, left: str, left_port: str, right: str, right_port: str) -> None:
        """A cable between two hosts' namespaces; both ends up, offloads off."""
        self._run(
            [
                "ip",
                "link",
                "add",
                left_port,
                "netns",
                self.hosts[left].namespace,
                "address",
                mac_for(f"{left} {left_port}"),
                "type",
                "veth",
                "peer",
                "name",
                right_port,
                "address",
                mac_for(f"{right} {right_port}"),
                "netns",
                self.hosts[right].namespace,
            ]
        )
        for name, port in ((left, left_port), (right, right_port)):
            self._offloads_off(name, port)
            self._ip(name, f"link set {port} up")

    def resolver(self, name: str, *addresses: str, edns: bool = False) -> None:
        """Sets the name servers that programs of this host ask (/etc/netns/NAME/resolv.conf), and how."""
        path = Path("/etc/netns") / self.hosts[name].namespace / "resolv.conf"
        lines = [f"nameserver {address}\n" for address in addresses]
        path.write_text("".join([*lines, "options edns0\n" if edns else ""]))

    def address(self, name: str, family: int = 4) -> str | None:
        """The host's present address of that family (global scope), None while it has none."""
        host = self.hosts[name]
        shown = self._run(
            [
                "ip",
                "-n",
                host.namespace,
                f"-{family}",
                "-o",
                "addr",
                "show",
                "dev",
                host.interface,
                "scope",
                "global",
            ]
        ).stdout.split()
        return shown[3].split("/")[0] if len(shown) > 3 else None

    def command(self, name: str, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` on that host."""
        return ["ip", "netns", "exec", self.hosts[name].namespace, *command]

    def run(
        self, name: str, command: Sequence[str], *, check: bool = True, timeout: float | None = 60
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program on a host to its end; output as text. Raises as `subprocess.run` does."""
        return subprocess.run(
            self.command(name, command),
            capture_output=True,
            text=True,
            errors="replace",
            check=check,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    def start(self, name: str, command: Sequence[str], log: str | None = None) -> subprocess.Popen[bytes]:
        """Starts a program on a host; it ends with the lab. Its output goes to the file `log` in `path`."""
        with open(self.path / (log or f"{name}-{Path(command[0]).name}.log"), "ab") as output:
            process = subprocess.Popen(
                self.command(name, command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes], timeout: float = 5) -> int:
        """Ends a program that `start` began: terminate, then kill; its exit code."""
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process in self.processes:
            self.processes.remove(process)
        return process.returncode

    def wait_for(self, name: str, command: Sequence[str], seconds: float = 10) -> None:
        """Repeats `command` on a host until it succeeds; raises TimeoutError with its last words."""
        end = time.monotonic() + seconds
        while True:
            result = self.run(name, command, check=False)
            if result.returncode == 0:
                return
            if time.monotonic() > end:
                raise TimeoutError(
                    f"{name}: `{' '.join(command)}` failed for {seconds} s: "
                    f"{(result.stderr or result.stdout).strip()[-300:]}"
                )
            time.sleep(0.1)

    # -- building

    def _build(self) -> None:
        bpf = self.path / "bpf"
        bpf.mkdir()
        self._run(["mount", "-t", "bpf", "bpf", str(bpf)])
        vlan_tag.pin(vlan_tag.pop_program(), bpf / "pop")
        for vlan in VLANS.values():
            vlan_tag.pin(vlan_tag.push_program(vlan.number), bpf / f"push{vlan.number}")
        self._build_switch()
        self._build_gateway()
        self._build_internet()

    def _build_switch(self) -> None:
        switch = self._namespace("switch", None)
        sensor = self._namespace("sensor", None)
        self._sysctl("switch", {"net.ipv6.conf.default.disable_ipv6": 1})
        self._sysctl("sensor", {"net.ipv6.conf.default.disable_ipv6": 1})
        self._ip("sensor", "link set lo up")
        for vlan in VLANS.values():
            self._ip("switch", f"link add br{vlan.number} type bridge stp_state 0 mcast_snooping 0")
            self._ip("switch", f"link set br{vlan.number} up")
        self._run(
            [
                "ip",
                "link",
                "add",
                "span",
                "netns",
                switch.namespace,
                "type",
                "veth",
                "peer",
                "name",
                self.mirror,
            ]
            + ([] if self.mirror_in_root else ["netns", sensor.namespace])
        )
        self._offloads_off("switch", "span")
        self._ip("switch", "link set span up")
        if self.mirror_in_root:
            self._run(["ip", "link", "set", self.mirror, "up", "promisc", "on"])
            Path(f"/proc/sys/net/ipv6/conf/{self.mirror}/disable_ipv6").write_text("1")
        else:
            self._offloads_off("sensor", self.mirror)
            self._ip("sensor", f"link set {self.mirror} up promisc on")

    def _build_gateway(self) -> None:
        gateway = self._namespace("gateway", None)
        self._ip("gateway", "link set lo up")
        self._sysctl("gateway", {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1})
        for vlan in VLANS.values():
            port, peer = f"vlan{vlan.number}", f"gateway{vlan.number}"
            self._run(
                [
                    "ip",
                    "link",
                    "add",
                    port,
                    "netns",
                    gateway.namespace,
                    "address",
                    mac_for("gateway"),
                    "type",
                    "veth",
                    "peer",
                    "name",
                    peer,
                    "netns",
                    self.hosts["switch"].namespace,
                ]
            )
            self._offloads_off("gateway", port)
            self._plug(peer, vlan)
            self._ip("gateway", f"link set {port} up")
            self._ip("gateway", f"addr add {vlan.gateway}/{vlan.network.prefixlen} dev {port}")
            if vlan.gateway6:
                self._ip("gateway", f"addr add {vlan.gateway6}/64 dev {port} nodad")

    def _build_internet(self) -> None:
        self._namespace("internet", None)
        self._ip("internet", "link set lo up")
        self._line()
        self._sysctl(
            "internet",
            {
                "net.ipv4.ip_default_ttl": INTERNET_TTL,
                "net.ipv6.conf.all.hop_limit": INTERNET_TTL,
                "net.ipv6.conf.wan.hop_limit": INTERNET_TTL,
                "net.ipv4.ip_unprivileged_port_start": 0,
                "net.ipv6.ip_nonlocal_bind": 1,
            },
        )
        self._ip("gateway", f"addr add {UPLINK['gateway']}/30 dev wan")
        self._ip("gateway", f"addr add {UPLINK['gateway6']}/64 dev wan nodad")
        self._ip("internet", f"addr add {UPLINK['internet']}/30 dev wan")
        self._ip("internet", f"addr add {UPLINK['internet6']}/64 dev wan nodad")
        for network in INTERNET_RANGES:
            sixth = ":" in network
            via = UPLINK["internet6" if sixth else "internet"]
            self._ip("gateway", f"{'-6 ' if sixth else ''}route add {network} via {via} dev wan")
            # Unused addresses of the internet stay silent, as they mostly do.
            self._ip("internet", f"{'-6 ' if sixth else ''}route add blackhole {network}")
        self._ip("internet", f"route add default via {UPLINK['gateway']}")
        self._ip("internet", f"-6 route add default via {UPLINK['gateway6']}")
        self.nft("gateway", NAT.read_text().replace("@gateway@", UPLINK["gateway"]))

    def _line(self) -> None:
        """The line to the internet: TUN interfaces with a program between them that takes its time."""
        names = [self.hosts[name].namespace for name in ("gateway", "internet")]
        with open(self.path / "distance.log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.lab.distance", *names],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        assert process.stdout is not None
        with process.stdout as output:
            if output.readline() != b"ready\n":
                said = (self.path / "distance.log").read_text().strip()
                raise OSError(f"cannot lay the line to the internet: {said[-300:]}")
        for name in ("gateway", "internet"):
            self._ip(name, "link set wan up txqueuelen 2000")

    def serve_on(self, addresses: Sequence[str]) -> None:
        """Gives the internet's namespace these addresses."""
        for address in addresses:
            if ":" in address:
                self._ip("internet", f"addr add {address}/128 dev lo nodad")
            else:
                self._ip("internet", f"addr add {address}/32 dev lo")

    def nft(self, name: str, rules: str) -> None:
        """Adds nftables rules (a ruleset's text) to a host."""
        result = subprocess.run(
            self.command(name, ["nft", "-f", "-"]), input=rules, text=True, check=False, capture_output=True
        )
        if result.returncode:
            raise OSError(f"{name}: nft refused the rules: {result.stderr.strip()}")

    def _plug(self, port: str, vlan: Vlan) -> None:
        self._offloads_off("switch", port)
        self._ip("switch", f"link set {port} master br{vlan.number}")
        if vlan.mirrored:
            self._mirror(port, vlan)
        self._ip("switch", f"link set {port} up")

    def _mirror(self, port: str, vlan: Vlan) -> None:
        """Copies what enters the switch at `port` to the mirror port, once, with the VLAN's tag."""
        for arguments in (
            "qdisc add dev {port} clsact",
            "filter add dev {port} ingress pref 1 protocol all bpf da object-pinned {bpf}/push{number}",
            "filter add dev {port} ingress pref 2 protocol all u32 match u32 0 0 "
            "action mirred egress mirror dev span continue",
            "filter add dev {port} ingress pref 3 protocol all bpf da object-pinned {bpf}/pop",
        ):
            filled = arguments.format(port=port, number=vlan.number, bpf=self.path / "bpf")
            self._run(["tc", "-n", self.hosts["switch"].namespace, *filled.split()])

    def _namespace(self, name: str, vlan: Vlan | None) -> Host:
        host = Host(name, f"{self.name}-{name}", vlan, mac_for(name))
        etc = Path("/etc/netns") / host.namespace
        etc.mkdir(parents=True)
        (etc / "resolv.conf").write_text("")
        self.hosts[name] = host
        self._run(["ip", "netns", "add", host.namespace])
        return host

    def _offloads_off(self, name: str, port: str) -> None:
        self.run(name, ["ethtool", "-K", port, "tso", "off", "gso", "off", "gro", "off", "tx", "off"])

    def _sysctl(self, name: str, values: dict[str, int]) -> None:
        self.run(name, ["sysctl", "-q", *(f"{key}={value}" for key, value in values.items())])

    def _ip(self, name: str, arguments: str) -> None:
        self._run(["ip", "-n", self.hosts[name].namespace, *arguments.split()])

    @staticmethod
    def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise OSError(f"cannot `{' '.join(command)}`: {result.stderr.strip()}")
        return result

    # -- removing

    def close(self) -> None:
        """Ends every program and removes every namespace, link and file of this lab; safe to call twice."""
        for process in list(self.processes):
            self.stop(process, timeout=2)
        _remove(self.name)
        if self.mirror_in_root:
            subprocess.run(["ip", "link", "del", self.mirror], capture_output=True, check=False)
        self.hosts.clear()


def sweep() -> None:
    """Removes what labs of processes that no longer live have left behind."""
    for name in {"-".join(namespace.split("-")[:3]) for namespace in _namespaces()}:
        if not Path("/proc", name.split("-")[1]).exists():
            _remove(name)


def _namespaces() -> Iterator[str]:
    folder = Path("/run/netns")
    if folder.is_dir():
        for entry in folder.iterdir():
            if entry.name.startswith(f"{PREFIX}-") and entry.name.split("-")[1].isdigit():
                yield entry.name


def _remove(name: str) -> None:
    for namespace in list(_namespaces()):
        if not namespace.startswith(f"{name}-"):
            continue
        inside = subprocess.run(
            ["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False
        )
        for number in inside.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(number), signal.SIGKILL)
        subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
        shutil.rmtree(Path("/etc/netns") / namespace, ignore_errors=True)
    for path in Path(tempfile.gettempdir()).glob(f"{name}-*"):
        subprocess.run(["umount", str(path / "bpf")], capture_output=True, check=False)
        shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        Path("/etc/netns").rmdir()
