"""802.11: networks, who looks for them, and what open data frames carry."""

import struct
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.link import ETHERTYPE_ETHERNET, ETHERTYPE_LLC, ETHERTYPE_NONE
from capture.protocols.radiotap import LINK_RADIOTAP, LINK_WLAN
from capture.protocols.wlan import ETHERTYPE_READ, decode_wlan
from pipeline.records import json_rows
from tests.capture.packets import CLIENT, SECOND, T0, Packet, mac, rows_of, small_sensor, udp

pytestmark = pytest.mark.uncompiled

STATION, POINT, OTHER, EVERYONE = 0x0200000000AA, 0x0200000000A0, 0x0200000000BB, 0xFFFFFFFFFFFF
CCMP, ESS, PRIVACY = b"\x00\x0f\xac\x04", 0x01, 0x10
LLC = b"\xaa\xaa\x03\0\0\0\x08\0"


class Heard(NamedTuple):
    """What was made of some frames."""

    found: list[tuple[int, int]]
    """(Ethertype, offset from the frame's first byte) of each; -1 for a frame cut off."""
    sightings: list[dict[str, Any]]
    macs: tuple[int, int]
    """Source and target MAC of the last one."""
    malformed: int


def hear(*frames: bytes, link: int = LINK_WLAN, step: int = SECOND) -> Heard:
    sensor = small_sensor()
    table = sensor.table
    packet = table.packet[0]
    found = []
    for number, frame in enumerate(frames):
        packet.ts = T0 + number * step
        buf = np.frombuffer(b"\xff" * 3 + frame, np.uint8)
        ethertype, at = decode_wlan(table, buf, 3, len(buf), link)
        found.append((int(ethertype), int(at) - 3 if at >= 0 else -1))
    rows = [row for kind, batch in sensor.flush() for row in json_rows(kind, batch)]
    return Heard(found, rows, (int(packet.source_mac), int(packet.target_mac)), int(table.meter[0].malformed))


def element(kind: int, data: bytes) -> bytes:
    return bytes([kind, len(data)]) + data


def management(
    kind: int,
    body: bytes,
    *,
    source: int = POINT,
    bssid: int = POINT,
    control: int = 0,
    target: int = EVERYONE,
) -> bytes:
    head = bytes([kind << 4, control]) + bytes(2) + mac(target) + mac(source) + mac(bssid) + b"\x10\0"
    return head + body


def network(kind: int, *elements: bytes, capabilities: int = ESS, **fields: Any) -> bytes:
    """A beacon (8) or probe response (5)."""
    body = bytes(8) + struct.pack("<HH", 100, capabilities) + b"".join(elements)
    return management(kind, body, **fields)


def rsn(*suites: bytes) -> bytes:
    listed = struct.pack("<H", len(suites)) + b"".join(b"\x00\x0f\xac" + suite for suite in suites)
    return element(48, b"\x01\0" + CCMP + b"\x01\0" + CCMP + listed + b"\0\0")


def wpa(*suites: int) -> bytes:
    listed = struct.pack("<H", len(suites)) + b"".join(b"\x00\x50\xf2" + bytes([suite]) for suite in suites)
    tkip = b"\x00\x50\xf2\x02"
    return element(221, b"\x00\x50\xf2\x01\x01\0" + tkip + b"\x01\0" + tkip + listed)


NAMED = element(0, b"Schule")
RATES = element(1, b"\x82\x84\x8b\x96")


def test_a_beacon() -> None:
    """A beacon tells the network's name, its access point, channel and security; the frame ends there."""
    heard = hear(network(8, NAMED, RATES, element(3, b"\x06"), rsn(b"\x02"), capabilities=ESS | PRIVACY))
    assert heard.found == [(ETHERTYPE_READ, 0)]
    assert heard.sightings == [
        {
            "ts": "2026-03-02T08:00:00.000000Z",
            "vlan": 0,
            "source": "beacon",
            "mac": "02:00:00:00:00:a0",
            "ip": "::",
            "name": "",
            "value": "Schule",
            "attributes": {"channel": "6", "security": "wpa2-psk"},
        }
    ]


@pytest.mark.parametrize(
    ("elements", "private", "told"),
    [
        ([], False, "open"),
        ([], True, "wep"),
        ([wpa(2)], True, "wpa-psk"),
        ([wpa(1)], True, "wpa-enterprise"),
        ([wpa(2), rsn(b"\x02")], True, "wpa-psk,wpa2-psk"),
        ([rsn(b"\x01")], True, "wpa2-enterprise"),
        ([rsn(b"\x02", b"\x06", b"\x04")], True, "wpa2-psk"),
        ([rsn(b"\x02", b"\x08")], True, "wpa2-psk,wpa3-sae"),
        ([rsn(b"\x08", b"\x09", b"\x18")], True, "wpa3-sae"),
        ([rsn(b"\x0c")], True, "wpa3-enterprise"),
        ([rsn(b"\x01", b"\x05")], True, "wpa2-enterprise,wpa3-enterprise"),
        ([rsn(b"\x12")], True, "owe"),
        ([rsn(b"\x63")], True, "other"),
        ([rsn(b"\x63", b"\x02")], True, "wpa2-psk"),
        ([element(48, b"\x01\0" + CCMP)], True, "wpa2-enterprise"),
        ([element(48, b"\x01\0" + CCMP + b"\xff\xff" + CCMP)], True, "wpa2-enterprise"),
        ([element(48, b"\x01\0")], True, "wep"),
        ([element(221, b"\x00\x50\xf2\x02\x01\x01" + bytes(18))], False, "open"),
    ],
)
def test_security(elements: list[bytes], private: bool, told: str) -> None:
    """Security is told by the suites of key management, else by the privacy bit."""
    heard = hear(network(8, NAMED, *elements, capabilities=ESS | (PRIVACY if private else 0)))
    assert heard.sightings[0]["attributes"] == {"security": told}


@pytest.mark.parametrize(
    ("elements", "told"),
    [
        ([element(3, b"\x0b"), element(61, b"\x24" + bytes(21))], "11"),
        ([element(61, b"\x24" + bytes(21))], "36"),
        ([element(255, b"\x24\0\0\x02\0\0\0\x05" + bytes(4))], "5"),
        ([element(255, b"\x24\0\xc0\x02\0\0\0" + bytes(4) + b"\x25" + bytes(4))], "37"),
        ([element(255, b"\x24\0\0\0\0\0\0\x05")], None),
        ([element(255, b"\x23\0\0\x02\0\0\0\x05")], None),
        ([element(3, b"")], None),
    ],
)
def test_channels(elements: list[bytes], told: str | None) -> None:
    """The channel stands in one of three elements, by band."""
    assert hear(network(8, NAMED, *elements)).sightings[0]["attributes"].get("channel") == told


@pytest.mark.parametrize(
    ("ssid", "told"),
    [
        (b"caf\xc3\xa9 1", "café 1"),
        (b" padded ", " padded "),
        (b"\xb2\xe2", "\\178\\226"),
        (b"a\x1b[31m", "a\\027[31m"),
        (b"", ""),
        (b"\0\0\0\0", ""),
        (b"x" * 32, "x" * 32),
    ],
)
def test_names_of_networks(ssid: bytes, told: str) -> None:
    """An SSID is UTF-8 or escaped, as long as it is; a hidden one stays empty."""
    assert hear(network(8, element(0, ssid))).sightings[0]["value"] == told


def test_an_ssid_that_is_too_long() -> None:
    """An SSID of more than 32 bytes was damaged on the air: no sighting."""
    heard = hear(network(8, element(0, b"x" * 33)))
    assert (heard.sightings, heard.found) == ([], [(ETHERTYPE_READ, 0)])


def test_the_first_name_counts() -> None:
    """A second SSID element, such as a check sequence that looks like one, changes nothing."""
    assert hear(network(8, NAMED, element(0, b"xx"))).sightings[0]["value"] == "Schule"


def test_names_of_access_points() -> None:
    """The access point's own name, maker and model are told where it says them."""
    wps = b"".join(
        struct.pack("!HH", kind, len(text)) + text
        for kind, text in (
            (0x104A, b"\x10"),
            (0x1021, b"Maker"),
            (0x1023, b"Box"),
            (0x1042, b"S1"),
            (0x1011, b"HomeBox"),
        )
    )
    row = hear(network(8, NAMED, element(221, b"\x00\x50\xf2\x04" + wps))).sightings[0]
    assert row["name"] == "HomeBox"
    assert row["attributes"] == {"security": "open", "manufacturer": "Maker", "model": "Box", "serial": "S1"}
    named = element(133, bytes(10) + b"ap-raum-107".ljust(16, b"\0") + b"\x05\0\0\0")
    assert hear(network(8, NAMED, named)).sightings[0]["name"] == "ap-raum-107"


def test_an_ad_hoc_network() -> None:
    """In an ad-hoc network the sender is not the access point, which there isn't."""
    row = hear(network(8, NAMED, capabilities=2, source=STATION)).sightings[0]
    assert (row["mac"], row["attributes"]) == (
        "02:00:00:00:00:a0",
        {"type": "ad-hoc", "security": "open", "sent_by": "02:00:00:00:00:aa"},
    )


def test_probes() -> None:
    """Who looks for a network, which one answers, and who joins one."""
    heard = hear(
        management(4, NAMED + RATES, source=STATION, bssid=EVERYONE),
        network(5, NAMED, element(3, b"\x06"), target=STATION),
        management(0, b"\x11\0\x0a\0" + NAMED, source=STATION, target=POINT),
        management(2, b"\x11\0\x0a\0" + mac(OTHER) + NAMED, source=OTHER, target=POINT),
        management(4, element(0, b""), source=OTHER, bssid=EVERYONE),
    )
    assert [(row["source"], row["mac"][-2:], row["value"]) for row in heard.sightings] == [
        ("probe", "aa", "Schule"),
        ("beacon", "a0", "Schule"),
        ("probe", "aa", "Schule"),
        ("probe", "bb", "Schule"),
        ("probe", "bb", ""),
    ]
    assert [row["attributes"] for row in heard.sightings] == [
        {"type": "request"},
        {"type": "response", "channel": "6", "security": "open"},
        {"type": "association", "bssid": "02:00:00:00:00:a0"},
        {"type": "association", "bssid": "02:00:00:00:00:a0"},
        {"type": "request"},
    ]


def radiotap(signal: int, frequency: int = 5180, flags: int = 0) -> bytes:
    return struct.pack("<BBHIBBHHb", 0, 0, 15, 0x2A, flags, 0, frequency, 0, signal)


def test_signal_and_repetition() -> None:
    """Signal strength and the channel of the card change without a new sighting; another security is told."""
    beacons = [radiotap(-40 - n % 30, 5180 + 20 * (n % 3)) + network(8, NAMED) for n in range(61)]
    beacons.append(radiotap(-40) + network(8, NAMED, rsn(b"\x02"), capabilities=ESS | PRIVACY))
    heard = hear(*beacons, link=LINK_RADIOTAP, step=10 * SECOND)
    assert [(row["ts"][14:19], row["attributes"]) for row in heard.sightings] == [
        ("00:00", {"security": "open", "channel": "36", "signal": "-40"}),
        ("10:00", {"security": "open", "channel": "36", "signal": "-40"}),
        ("10:10", {"security": "wpa2-psk", "channel": "36", "signal": "-40"}),
    ]


def test_damaged_frames() -> None:
    """A frame whose check sequence is wrong is counted as malformed, and nothing of it is told."""
    heard = hear(radiotap(-40, flags=0x50) + network(8, NAMED) + bytes(4), link=LINK_RADIOTAP)
    assert (heard.sightings, heard.malformed, heard.found) == ([], 1, [(ETHERTYPE_READ, 15)])
    heard = hear(b"\x81" + network(8, NAMED)[1:])
    assert (heard.sightings, heard.malformed) == ([], 1)


def test_the_check_sequence_is_no_element() -> None:
    """Bytes of the check sequence behind the last element are not read as one."""
    cut = network(8, element(0, b"Schule"))[:-2] + b"le"
    heard = hear(radiotap(-40, flags=0x10) + cut, link=LINK_RADIOTAP)
    assert heard.sightings[0]["value"] == ""


def data_frame(
    subtype: int,
    control: int,
    *addresses: int,
    extra: bytes = b"",
    body: bytes = LLC + b"E",
    fragment: int = 0,
) -> bytes:
    head = bytes([subtype << 4 | 8, control]) + bytes(2) + b"".join(mac(a) for a in addresses[:3])
    head += bytes([fragment, 0]) + b"".join(mac(a) for a in addresses[3:])
    return head + extra + body


@pytest.mark.parametrize(
    ("frame", "at"),
    [
        (data_frame(0, 0, OTHER, STATION, POINT), 24),
        (data_frame(0, 1, POINT, STATION, OTHER), 24),
        (data_frame(0, 2, OTHER, POINT, STATION), 24),
        (data_frame(0, 3, POINT, POINT, OTHER, STATION), 30),
        (data_frame(8, 1, POINT, STATION, OTHER, extra=b"\x05\0"), 26),
        (data_frame(8, 0x81, POINT, STATION, OTHER, extra=b"\x05\0" + bytes(4)), 30),
        (data_frame(8, 3, POINT, POINT, OTHER, STATION, extra=b"\x05\0"), 32),
        (data_frame(8, 3, POINT, POINT, OTHER, STATION, extra=b"\x05\x01" + b"\0" + bytes(5)), 38),
        (data_frame(8, 1, POINT, STATION, 0, extra=b"\x85\0" + mac(OTHER) + mac(STATION) + b"\0\x20"), 40),
        (data_frame(0, 5, POINT, STATION, OTHER), 24),
    ],
)
def test_open_data(frame: bytes, at: int) -> None:
    """The LLC header of an open frame is found behind every form of the header, with sender and receiver."""
    heard = hear(frame)
    assert heard.found == [(ETHERTYPE_LLC, at)]
    assert frame[at:] == LLC + b"E"
    assert heard.macs == (STATION, OTHER)
    assert heard.sightings == []


def test_padding_behind_the_header() -> None:
    """Some cards pad the header to a multiple of four, and say so."""
    frame = data_frame(8, 1, POINT, STATION, OTHER, extra=b"\x05\0\0\0")
    assert hear(radiotap(-40, flags=0x20) + frame, link=LINK_RADIOTAP).found == [(ETHERTYPE_LLC, 15 + 28)]


def test_flows_of_open_networks() -> None:
    """A packet in an open frame is a packet of a flow between the stations; a beacon is not unknown."""
    request = udp(b"\x01\0" + bytes(60), 50_000, 50_001)[14:]
    frame = data_frame(8, 1, POINT, STATION, OTHER, extra=b"\0\0", body=LLC + request)
    told = radiotap(-40) + network(8, NAMED)
    rows = rows_of([Packet(T0, told), Packet(T0 + 1, radiotap(-50) + frame)], link=LINK_RADIOTAP)
    assert (rows.flow["client"], rows.flow["server_port"], rows.flow["packets_up"]) == (CLIENT, 50_001, 1)
    assert rows.flow["client_mac"] == "02:00:00:00:00:aa"
    assert [row["value"] for row in rows.sightings] == ["Schule"]
    assert {name: rows.total(name) for name in ("packets", "unknown_link", "malformed", "truncated")} == {
        "packets": 2,
        "unknown_link": 0,
        "malformed": 0,
        "truncated": 0,
    }


@pytest.mark.parametrize(
    "frame",
    [
        data_frame(0, 0x41, POINT, STATION, OTHER),
        data_frame(4, 1, POINT, STATION, OTHER, body=b""),
        data_frame(12, 1, POINT, STATION, OTHER, extra=b"\0\0", body=b""),
        data_frame(0, 1, POINT, STATION, OTHER, fragment=1),
        b"\xd4\0\0\0" + mac(STATION),
        b"\xb4\0\0\0" + mac(STATION) + mac(POINT),
        management(12, b"\x07\0"),
        management(8, b"", control=0x40),
        management(13, b"\x04"),
    ],
)
def test_frames_without_a_network_layer(frame: bytes) -> None:
    """Encrypted and empty frames, later fragments, control and other management frames are just read."""
    heard = hear(frame)
    assert [ethertype for ethertype, _ in heard.found] == [ETHERTYPE_READ]
    assert (heard.sightings, heard.malformed) == ([], 0)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x80\0" + bytes(7),
        network(8, NAMED)[:23],
        network(8)[:35],
        management(0, b"\x11\0\x0a"),
        management(8, b"\0\0", control=0x80),
        data_frame(0, 1, POINT, STATION, OTHER, body=b""),
        data_frame(8, 1, POINT, STATION, OTHER, body=b"\0"),
        data_frame(8, 1, POINT, STATION, OTHER, extra=b"\x80\0", body=bytes(13)),
    ],
)
def test_frames_that_are_cut_off(frame: bytes) -> None:
    """A frame that ends before its header does is cut off."""
    heard = hear(frame)
    assert (heard.found, heard.sightings) == ([(ETHERTYPE_NONE, -1)], [])


def test_a_header_of_another_link_layer() -> None:
    """PPI may lead to Ethernet, and to link layers that are not decoded behind it."""
    assert hear(b"\0\0\x08\0\x01\0\0\0" + bytes(40), link=192).found == [(ETHERTYPE_ETHERNET, 8)]
    assert hear(b"\0\0\x08\0\x09\0\0\0" + bytes(40), link=192).found == [(ETHERTYPE_NONE, 0)]
    rows = rows_of([Packet(T0, b"\0\0\x08\0\x01\0\0\0" + udp(bytes(9), 50_000, 50_001))], link=192)
    assert rows.flow["server_port"] == 50_001


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([LINK_WLAN, LINK_RADIOTAP, 119, 163, 192]),
    st.sampled_from([0x00, 0x20, 0x40, 0x50, 0x80, 0x08, 0x88, 0xB8]),
    st.integers(0, 255),
    st.binary(max_size=120),
)
def test_any_bytes(link: int, kind: int, control: int, body: bytes) -> None:
    """No frame makes more than one sighting or is read beyond its end."""
    frames = [before + bytes([kind, control]) + body for before in (b"", b"\0\0\x08\0\0\0\0\0")]
    heard = hear(*frames, link=link)
    assert all(-1 <= at <= len(frame) for frame, (_, at) in zip(frames, heard.found, strict=True))
    assert len(heard.sightings) <= 2
