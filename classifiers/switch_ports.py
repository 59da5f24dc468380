"""At which port of which switch a device is, as far as DHCP relays, RADIUS servers and switches say so."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from classifiers.facts import Facts
from classifiers.loss import Store, sql_time

_SQL = Path(__file__).with_name("switch_ports.sql").read_text("utf-8")
#: How long before and after a finding its device may have said where it is. Our default.
AROUND = timedelta(days=1)
#: Devices that are asked for at once; past it no place is told. Our default.
MOST_DEVICES = 1_000
#: Most of a port's or switch's name that is told.
_TEXT = 80

_ESCAPED = re.compile(r"\\(\d{3})")
#: Cisco's circuit identifier (DHCP snooping): type 0, length 4, VLAN, module, port; its remote one: a MAC.
_CIRCUIT, _REMOTE = b"\x00\x04", b"\x00\x06"


def _octets(text: str) -> bytes:
    """The bytes that the sensor wrote as text, `\\DDD` being one byte (RFC 4343, 2.1)."""
    return _ESCAPED.sub(lambda found: chr(int(found[1]) & 255), text).encode("latin-1", "replace")


def port_text(circuit: str) -> str:
    """A circuit identifier in words: text as it is, Cisco's six bytes as `module/port`, others in hex."""
    octets = _octets(circuit)
    if octets.startswith(_CIRCUIT) and len(octets) <= 6:
        # What ends in zeros came without them.
        octets = octets.ljust(6, b"\0")
        return f"{octets[4]}/{octets[5]}"
    return circuit[:_TEXT] if "\\" not in circuit else octets.hex()[:_TEXT]


def switch_text(remote: str) -> str:
    """A remote identifier in words: text as it is, a MAC where Cisco's or bare bytes hold one, else hex."""
    octets = _octets(remote)
    if octets.startswith(_REMOTE) and len(octets) <= 8:
        return octets[2:].ljust(6, b"\0").hex(":")
    if "\\" not in remote:
        return remote[:_TEXT]
    return octets.hex(":") if len(octets) == 6 else octets.hex()[:_TEXT]


class SwitchPorts:
    """Places of some devices around a span of time."""

    def __init__(
        self, store: Store, facts: Facts, macs: Iterable[int], first: datetime, last: datetime
    ) -> None:
        wanted = sorted(set(macs) - {0})
        rows: list[dict[str, Any]] = []
        if 0 < len(wanted) <= MOST_DEVICES:
            bounds = {"from": sql_time(first - AROUND), "to": sql_time(last + AROUND)}
            known = {"switch_macs": list(facts.switch_macs), "switch_names": list(facts.switch_names)}
            rows = store.rows(_SQL, {**bounds, **known, "macs": wanted})
        self._of_mac: dict[int, str] = {}
        self._of_vlan: dict[int, str] = {}
        for row in rows:
            where = f", port {port_text(row['port'])}"
            if switch := switch_text(row["switch"]):
                where += f" of {switch}"
            where += f" by {row['how']}"
            if row["mac"]:
                # By name, so that of two ways the same one is told each time.
                self._of_mac.setdefault(int(row["mac"]), where)
            elif row["places"] == 1:
                self._of_vlan.setdefault(int(row["vlan"]), where)

    def text(self, mac: int, vlan: int) -> str:
        """What follows the VLAN in a statement: `, port Gi1/0/7 of closet-2 by DHCP option 82`, or empty.

        A switch's own announcement counts where it is the only one of that VLAN: then all that the mirror
        shows of it passes that port.
        """
        return self._of_mac.get(mac, "") or (self._of_vlan.get(vlan, "") if vlan else "")
