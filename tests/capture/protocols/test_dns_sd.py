"""What devices announce by multicast DNS."""

from typing import Any

from tests.capture.packets import SECOND, T0, Packet, Rows, dns, labels, record, rows_of
from tests.capture.protocols.test_mdns import DEVICE, GROUP6, OTHER, SERVICE, address, message, said, service


def sightings(*packets: Packet) -> list[dict[str, Any]]:
    rows: Rows = rows_of(packets)
    assert {row["source"] for row in rows.sightings} <= {"mdns"}
    return rows.sightings


def test_a_device_announces_itself() -> None:
    """Host name, address, MAC, instance, service types and model of a device are one sighting."""
    data = message(
        *service(b"Living Room\xe2\x80\x99s TV", b"Tv.local"),
        *service(b"Living Room\xe2\x80\x99s TV", b"Tv.local", b"_raop._tcp.local"),
        extra=[address(b"Tv.local", DEVICE), address(b"Tv.local", "fe80::1")],
    )
    (row,) = sightings(said(data))
    assert row == {
        "ts": "2026-03-02T08:00:00.000000Z",
        "vlan": 0,
        "source": "mdns",
        "mac": "02:00:00:00:00:01",
        "ip": DEVICE,
        "name": "tv.local",
        "value": "Living Room’s TV",
        "attributes": {"model": "Box3,1a", "service": "_airplay._tcp,_raop._tcp"},
    }


def test_no_other_text_is_kept() -> None:
    """Of a TXT record nothing but the model is told."""
    assert "abc" not in str(sightings(said(message(*service(b"TV", b"tv.local")))))


def test_another_hosts_address_has_no_mac() -> None:
    """A sleep proxy that speaks for others tells their names and addresses; their MACs are not known."""
    hosts = [address(b"h%d.local" % n, f"10.1.3.{n}") for n in range(10)]
    rows = sightings(said(message(address(b"proxy.local", DEVICE), *hosts)))
    assert {(row["name"], row["ip"], row["mac"]) for row in rows} == {
        ("proxy.local", DEVICE, "02:00:00:00:00:01"),
        *((f"h{n}.local", f"10.1.3.{n}", "00:00:00:00:00:00") for n in range(7)),
    }


def test_the_best_address_of_a_host() -> None:
    """The packet's own address stands for the host, else its IPv4 address."""
    pair = [address(b"tv.local", "fe80::1"), address(b"tv.local", DEVICE)]
    (row,) = sightings(said(message(*pair), source="fe80::1", target=GROUP6))
    assert (row["ip"], row["mac"]) == ("fe80::1", "02:00:00:00:00:01")
    (row,) = sightings(said(message(*pair), source=OTHER))
    assert (row["ip"], row["mac"]) == (DEVICE, "00:00:00:00:00:00")


def test_services_without_a_host() -> None:
    """What says no address is told of the sender, without a name; types of services are no instances."""
    (row,) = sightings(said(message(service(b"TV", b"tv.local")[0])))
    assert (row["ip"], row["name"], row["value"]) == (DEVICE, "", "TV")
    listing = record(12, labels(SERVICE), 10, labels(b"_services._dns-sd._udp.local"))
    (row,) = sightings(said(message(listing)))
    assert (row["value"], row["attributes"]) == ("", {"service": "_airplay._tcp"})


def test_goodbyes_and_questions_say_nothing() -> None:
    """A device that leaves, and one that asks, make no sighting."""
    known = dns(0, SERVICE, 12, flags=0, records=[service(b"TV", b"tv.local")[0]])
    assert sightings(said(message(address(b"tv.local", DEVICE, 0))), said(known)) == []


def test_the_same_device_once() -> None:
    """A device that says the same again, with other services or TTLs, is told once in 10 minutes."""
    data = [
        message(address(b"tv.local", DEVICE, 120 - n), service(b"", b"tv.local", kind)[1])
        for n, kind in enumerate((SERVICE, b"_raop._tcp.local", b"_http._tcp.local"))
    ]
    packets = [said(d, T0 + n * SECOND) for n, d in enumerate(data)]
    assert len(sightings(*packets)) == 1
    assert len(sightings(*packets, said(data[0], T0 + 601 * SECOND))) == 2
