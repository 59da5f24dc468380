"""Devices: heard, measured, or both."""

import pytest

from pipeline.records import mac_text
from tests.api.conftest import Running
from tests.api.school import LAPTOP, MACS, NINE, SECOND, TABLET, flow, put

HEARD = "00:00:5e:00:00:77"


def test_heard_and_measured(school: Running) -> None:
    """All devices of flows and sightings, once; bytes are null where none were measured."""
    rows = {row["mac"]: row for row in school.get("/v1/devices", "helpdesk").json()["rows"]}
    assert set(rows) == {mac_text(mac) for mac in MACS.values()} | {HEARD}
    laptop = rows[mac_text(MACS[LAPTOP])]
    assert (laptop["names"], laptop["addresses"], laptop["bytes_down"]) == (["cart-12"], [LAPTOP], 190_000)
    assert (rows[HEARD]["bytes_down"], rows[HEARD]["flows"]) == (None, None)
    assert rows[HEARD]["first"] == rows[HEARD]["last"] == "2026-03-02T17:00:02Z"


def test_unspecified_addresses_are_nobodys(scratch: Running) -> None:
    """What a device sends before it has an address gives it no address."""
    sent = [flow(at, TABLET) | {"client_mac": 0x00005E000099} for at in (90_000, 90_001)]
    put(scratch.store, "flows", [sent[0] | {"client": "::"}, sent[1] | {"client": "0.0.0.0"}])
    params = {"from": "2026-03-03T00:00:00Z", "to": "2026-03-04T00:00:00Z"}
    [row] = scratch.get("/v1/devices", "helpdesk", params=params).json()["rows"]
    assert (row["addresses"], row["address_count"], row["flows"]) == ([], 0, 2)


def test_users_are_no_devices(scratch: Running) -> None:
    """The user whom RADIUS or Kerberos names is no name of the device."""
    said = {"mac": 0x00005E000098, "ip": TABLET, "sensor": "aula", "site": "main"}
    at = NINE + 2 * 86_400 * SECOND
    sources = {"radius": "user-one", "kerberos": "user-two", "dhcp_request": "cart-13"}
    put(scratch.store, "sightings", [{**said, "ts": at, "source": s, "name": n} for s, n in sources.items()])
    params = {"from": "2026-03-04T00:00:00Z", "to": "2026-03-05T00:00:00Z"}
    [row] = scratch.get("/v1/devices", "helpdesk", params=params).json()["rows"]
    assert (row["names"], row["sources"]) == (["cart-13"], ["dhcp_request", "kerberos", "radius"])


def test_random_macs_are_told(school: Running) -> None:
    """A locally administered MAC is marked."""
    rows = {row["mac"]: row["randomised"] for row in school.get("/v1/devices", "helpdesk").json()["rows"]}
    assert [mac for mac, random in rows.items() if random] == [mac_text(MACS[TABLET])]


def test_pages_hold_every_device_once(school: Running) -> None:
    """One by one is the same as all at once."""
    got, cursor = [], None
    while True:
        page = school.get(
            "/v1/devices", "helpdesk", params={"limit": 1} | ({"cursor": cursor} if cursor else {})
        ).json()
        got += page["rows"]
        cursor = page["next"]
        if cursor is None:
            break
    assert got == school.get("/v1/devices", "helpdesk").json()["rows"]


@pytest.mark.parametrize(
    ("params", "count"),
    [({"client": LAPTOP}, 1), ({"site": "main"}, 4), ({"site": "x"}, 0), ({"group": "staff"}, 1)],
)
def test_filters(school: Running, params: dict, count: int) -> None:
    """By address, site and group."""
    assert len(school.get("/v1/devices", "helpdesk", params=params).json()["rows"]) == count


def test_one_device(school: Running) -> None:
    """Where it was, what it said, and what it moved by service, delicate services nameless."""
    got = school.get(f"/v1/devices/{mac_text(MACS[LAPTOP])}", "helpdesk").json()
    assert got["sightings"][0]["value"] == "<script>alert(1)</script>"
    assert {row["service"] for row in got["services"]} == {"exampleschool", ""}
    assert {row["name_source"] for row in got["services"]} == {"sni"}
    assert "adult" not in str(got)


@pytest.mark.parametrize(
    ("mac", "status"), [("zz", 422), ("00:00:00:00:00:01", 404), ("00:00:00:00:00:00", 404)]
)
def test_unknown_devices(school: Running, mac: str, status: int) -> None:
    """No MAC, and a MAC that was not seen, each with its mend."""
    answer = school.get(f"/v1/devices/{mac}", "helpdesk")
    assert answer.status_code == status
    assert answer.json()["mend"]


def test_wire_names_are_safe_in_csv(school: Running) -> None:
    """A device that calls itself a formula does not become one."""
    assert "'=cmd" in school.get("/v1/devices", "helpdesk", accept="text/csv").text
