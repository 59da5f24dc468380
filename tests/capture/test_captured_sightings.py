"""Real captures, where they are at hand: what devices say in them, by tshark's and Zeek's reading."""

import re
from collections import defaultdict
from functools import cache
from typing import Any

import pytest

from benchmarks import witnesses
from benchmarks.agreement import CAPTURES
from benchmarks.compared import FOUND, MISSED, SOURCES, WRONG, Outcome, compare_sightings
from benchmarks.sensed import Sensed, sense

EXPECTED = CAPTURES / "expected"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CAPTURES / "pcap").is_dir(), reason="no folder of real captures; set REAL_CAPTURES"
    ),
]

#: Least share found of what tshark says, most share said by the sensor alone. ARP of other hardware, with
#: addresses of 255 bytes, inverse and unassigned ARP is not told; in L2TPv3, tshark does not say it. Frames
#: that were damaged on the air are not trusted, and LWAPP, which carries some, is not looked into.
KINDS = {
    "dhcp": (0.995, 0.001), "dhcpv6": (0.995, 0.001), "arp": (0.93, 0.01), "lldp": (0.995, 0.001),
    "cdp": (0.995, 0.001), "ssdp": (0.995, 0.001), "beacon": (0.98, 0.001), "probe": (0.93, 0.001),
}  # fmt: skip


@cache
def sensed(path: str) -> Sensed | None:
    """What the sensor says of a capture; None if it is not there."""
    file = CAPTURES / "pcap" / path
    return sense(file) if file.is_file() else None


@cache
def outcomes() -> dict[str, list[tuple[str, Outcome]]]:
    """Outcomes by kind, each with its capture."""
    told: dict[str, list[tuple[str, Outcome]]] = defaultdict(list)
    for path, claims in witnesses.tshark(EXPECTED).items():
        said = sensed(path) if any(claim.kind in SOURCES for claim in claims) else None
        if said is not None:
            for outcome in compare_sightings(path, said, EXPECTED):
                told[outcome.kind].append((path, outcome))
    return told


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_devices_are_those_of_tshark(kind: str) -> None:
    """What tshark says of devices, the sensor says, and nothing else."""
    least, most = KINDS[kind]
    told = outcomes()[kind]
    wanted = sum(outcome.verdict in (FOUND, MISSED) for _, outcome in told)
    missed = [(path, *outcome[2:]) for path, outcome in told if outcome.verdict == MISSED]
    wrong = [(path, *outcome[2:]) for path, outcome in told if outcome.verdict == WRONG]
    assert wanted >= 10
    assert 1 - len(missed) / wanted >= least, missed
    assert len(wrong) / wanted <= most, wrong


def beacons(path: str) -> dict[str, list[dict[str, Any]]]:
    """Attributes of the sightings of each access point of a capture."""
    said = sensed(path)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in said.sightings if said else ():
        if row["source"] == "beacon":
            found[row["mac"]].append(row["attributes"])
    return found


#: Words of `security` by what tshark calls the suites of key management of an RSN.
SUITES = {"1": "wpa2-enterprise", "2": "wpa2-psk", "4": "wpa2-psk", "6": "wpa2-psk", "8": "wpa3-sae"}


def test_channels_and_security_are_those_of_tshark() -> None:
    """The channel that a beacon states, and its security, are what tshark reads."""
    compared = 0
    for row in witnesses.entries(EXPECTED, "tshark_oracle"):
        if row["kind"] != "beacon" or row["privacy"] is None or row["ssid"] is None:
            continue
        mine = beacons(row["path"]).get(row["bssid"])
        if not mine:
            # Damaged, or too long a name: counted above.
            continue
        compared += 1
        if row["ch"] is not None and "|" not in row["ch"]:
            assert row["ch"] in {told.get("channel") for told in mine}, row
        suites = set((row["akm"] or "").split("|")) - {""}
        words = {SUITES[suite] for suite in suites if suite in SUITES}
        if not suites and row["wpa"] is None:
            words = {"wep" if row["privacy"] == "1" else "open"}
        assert any(words <= set(told["security"].split(",")) for told in mine), row
    assert compared > 1_000


def zeek_rows(log: str) -> list[tuple[str, dict[str, Any]]]:
    """Rows of Zeek's baselines of one log, each with its capture."""
    found = [
        (witnesses.FOLDERS["zeek"] + row["trace"], row["row"])
        for row in witnesses.entries(EXPECTED, "zeek")
        if row["path"] == log
    ]
    return [(path, row) for path, row in found if (CAPTURES / "pcap" / path).is_file()]


def test_users_of_kerberos_are_those_of_zeek() -> None:
    """Who asks the authentication service for a ticket, at which address, and who was refused."""
    compared = 0
    for path, row in zeek_rows("kerberos"):
        if row["request_type"] != "AS" or not row["client"]:
            continue
        said = sensed(path)
        assert said is not None
        name = re.sub("/[^/]*$", "", row["client"])
        mine = [
            told["attributes"]["type"]
            for told in said.sightings
            if told["source"] == "kerberos" and (told["name"], told["ip"]) == (name, row["id.orig_h"])
        ]
        assert mine, row
        if row["success"] == "T":
            assert "as_reply" in mine, row
        compared += 1
    assert compared > 20


def test_users_of_radius_are_those_of_zeek() -> None:
    """User names and the MACs of their devices, in RADIUS."""
    compared = 0
    for path, row in zeek_rows("radius"):
        said = sensed(path)
        assert said is not None
        mine = {(told["name"], told["mac"]) for told in said.sightings if told["source"] == "radius"}
        assert (row["username"], row["mac"] or witnesses.NO_MAC) in mine, row
        compared += 1
    assert compared > 5


def test_leases_are_those_of_zeek() -> None:
    """Addresses handed out, to which MAC, by which server, for how long."""
    compared = 0
    for path, row in zeek_rows("dhcp"):
        if not row.get("assigned_addr") or "ACK" not in row["msg_types"]:
            continue
        said = sensed(path)
        assert said is not None
        mine = {
            (told["ip"], told["value"], told["attributes"].get("client_mac"))
            for told in said.sightings
            if told["source"] == "dhcp_ack"
        }
        assert (row["server_addr"], row["assigned_addr"], row["mac"]) in mine, (row, mine)
        compared += 1
    assert compared >= 2
