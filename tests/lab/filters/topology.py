"""The network of the filter lab: clients, a filter box, a line, the internet, and a tap on both sides.

    pupils ─ switch ─┬─ filter box ─┬─ gateway (NAT) ─ line, 8–44 ms ─ internet
                    lan            wan

Both taps are mirror sessions (`tc … mirred`) of the filter box's two cables, each to a port of the
namespace `taps`: every frame on the cable once, in both directions.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.network import Lab

TAPS = ("lan", "wan")
FILTER = "filter"
"""Host name of the filter box; it is the clients' router, and holds the four addresses below."""

ROUTER, ROUTER6 = "10.20.0.1", "2001:db8:20::1"
RESOLVER, RESOLVER6 = "10.10.0.53", "2001:db8:10::53"
SINKHOLE, SINKHOLE6 = "10.10.0.80", "2001:db8:10::80"
FILTER_OUTSIDE, FILTER_OUTSIDE6 = "10.10.255.2", "2001:db8:1::2"
GATEWAY, GATEWAY6 = "10.10.255.1", "2001:db8:1::1"
INSIDE = ("10.0.0.0/8", "2001:db8:10::/64", "2001:db8:20::/64")

PUPILS = 4
"""Clients of each stack: the same name must fail for two before that corroborates anything."""


@dataclass(frozen=True)
class Client:
    """A pupil's computer: its addresses and the resolver it asks."""

    name: str
    stack: str
    """`4`, `6`, or `46`: both families, names asked over IPv4."""
    ipv4: str
    ipv6: str

    @property
    def resolver(self) -> str:
        """The address of the resolver it is configured with."""
        return RESOLVER if "4" in self.stack else RESOLVER6


CLIENTS = tuple(
    Client(
        f"pupil{stack}{number}",
        stack,
        f"10.20.{index}.{number}" if "4" in stack else "",
        f"2001:db8:20::{index}:{number}" if "6" in stack else "",
    )
    for index, stack in enumerate(("4", "6", "46"), 1)
    for number in range(1, PUPILS + 1)
)


class FilterLab(Lab):
    """A `Lab` with the filter lab's network instead of the school's.

    The filter box forwards everything until a scenario starts a filter on it; nothing serves yet.
    """

    def _build(self) -> None:
        self._namespace("taps", None)
        self._sysctl("taps", {"net.ipv6.conf.default.disable_ipv6": 1})
        self._namespace("switch", None)
        self._sysctl("switch", {"net.ipv6.conf.default.disable_ipv6": 1})
        self._ip("switch", "link add lan type bridge stp_state 0 mcast_snooping 0")
        self._ip("switch", "link set lan up")
        for name in (FILTER, "gateway"):
            self._namespace(name, None)
            self._ip(name, "link set lo up")
            self._sysctl(
                name,
                {
                    "net.ipv4.ip_forward": 1,
                    "net.ipv6.conf.all.forwarding": 1,
                    "net.ipv4.ip_unprivileged_port_start": 0,
                    "net.ipv4.conf.all.send_redirects": 0,
                },
            )
        self._build_filter_box()
        self._build_internet()
        for client in CLIENTS:
            self._build_client(client)
        for name in TAPS:
            self._tap(name)

    def _build_filter_box(self) -> None:
        self.wire(FILTER, "lan", "switch", "filter")
        self._ip("switch", "link set filter master lan")
        self.wire(FILTER, "wan", "gateway", "inside")
        for address in (RESOLVER, SINKHOLE):
            self._ip(FILTER, f"addr add {address}/32 dev lo")
        for address in (RESOLVER6, SINKHOLE6):
            self._ip(FILTER, f"addr add {address}/128 dev lo nodad")
        self._ip(FILTER, f"addr add {ROUTER}/16 dev lan")
        self._ip(FILTER, f"addr add {ROUTER6}/64 dev lan nodad")
        self._ip(FILTER, f"addr add {FILTER_OUTSIDE}/30 dev wan")
        self._ip(FILTER, f"addr add {FILTER_OUTSIDE6}/64 dev wan nodad")
        self._ip("gateway", f"addr add {GATEWAY}/30 dev inside")
        self._ip("gateway", f"addr add {GATEWAY6}/64 dev inside nodad")
        self._ip(FILTER, f"route add default via {GATEWAY}")
        self._ip(FILTER, f"-6 route add default via {GATEWAY6}")
        for network in INSIDE:
            via, family = (FILTER_OUTSIDE6, "-6 ") if ":" in network else (FILTER_OUTSIDE, "")
            self._ip("gateway", f"{family}route add {network} via {via}")

    def _build_client(self, client: Client) -> None:
        self._namespace(client.name, None)
        self._ip(client.name, "link set lo up")
        self.wire(client.name, "eth0", "switch", client.name)
        self._ip("switch", f"link set {client.name} master lan")
        if client.ipv4:
            self._ip(client.name, f"addr add {client.ipv4}/16 dev eth0")
            self._ip(client.name, f"route add default via {ROUTER}")
        if client.ipv6:
            self._ip(client.name, f"addr add {client.ipv6}/64 dev eth0 nodad")
            self._ip(client.name, f"-6 route add default via {ROUTER6}")
        else:
            self._sysctl(client.name, {"net.ipv6.conf.all.disable_ipv6": 1})
        self.resolver(client.name, client.resolver)

    def _tap(self, name: str) -> None:
        """A mirror session: both directions of the filter box's cable `name` to a port of `taps`."""
        # The box's own end of the inner cable is left alone, so that what a filter makes counts as sent.
        host, port = {"lan": ("switch", FILTER), "wan": ("gateway", "inside")}[name]
        self.wire(host, f"span-{name}", "taps", name)
        self._sysctl(host, {f"net.ipv6.conf.span-{name}.disable_ipv6": 1})
        self._ip("taps", f"link set {name} promisc on")
        space = self.hosts[host].namespace
        self._run(["tc", "-n", space, "qdisc", "add", "dev", port, "clsact"])
        for direction in ("ingress", "egress"):
            rule = f"filter add dev {port} {direction} protocol all u32 match u32 0 0"
            action = f"action mirred egress mirror dev span-{name}"
            self._run(["tc", "-n", space, *rule.split(), *action.split()])

    def record(self, folder: Path) -> Recording:
        """Records both taps into `folder` as `lan.pcap` and `wan.pcap` while the block runs."""
        return Recording(self, folder)


class Recording:
    """tcpdump on both taps; the files are whole when the block has ended."""

    def __init__(self, lab: FilterLab, folder: Path) -> None:
        self._lab = lab
        self._folder = folder

    def __enter__(self) -> Recording:
        self._running = [self._lab.start("taps", self._command(name), f"tap-{name}.log") for name in TAPS]
        end = time.monotonic() + 10
        while any("listening" not in (self._lab.path / f"tap-{n}.log").read_text() for n in TAPS):
            if time.monotonic() > end:
                raise TimeoutError("tcpdump does not listen on the taps")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(1.0)  # tcpdump hands on its buffer once a second
        for process in self._running:
            self._lab.stop(process)

    def _command(self, name: str) -> Sequence[str]:
        file = str(self._folder / f"{name}.pcap")
        return ["tcpdump", "-Z", "root", "-U", "-B", "16384", "-s", "0", "-i", name, "-w", file]
