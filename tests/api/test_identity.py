"""Who had an address: as of the moment, with its confidence, and persons as pseudonyms."""

import pyarrow as pa
import pytest

from classifiers.inventory import Device
from classifiers.inventory_versions import note_inventories
from pipeline.records import TIME, address_bytes, mac_text
from tests.api.conftest import Running
from tests.api.school import LAPTOP, MACS, NINE, SECOND, TABLET, attempt, bind, finding, flow, put

FIRST, SECOND_PC, ROUTER = 0x00005E0000A1, 0x00005E0000A2, 0x00005E0000FF
DAY = 86_400
ADDRESS = "10.20.3.4"
#: The third day after the school's morning: nothing else is there.
BASE = 3 * DAY


def when(seconds: float) -> str:
    from api.times import utc_text

    return utc_text(NINE + int((BASE + seconds) * SECOND))


def said(seconds: float, source: str, mac: int, **values: object) -> dict:
    at = NINE + int((BASE + seconds) * SECOND)
    return {"ts": at, "source": source, "mac": mac, "sensor": "aula", "site": "main", **values}


def leased(seconds: float, mac: int, lease: int = 3_600) -> dict:
    told = [("type", "ack"), ("client_mac", mac_text(mac)), ("lease", str(lease))]
    return said(seconds, "dhcp_ack", ROUTER, ip="10.20.0.1", value=ADDRESS, attributes=told)


@pytest.fixture(scope="module")
def told() -> dict[str, bool]:
    return {}


@pytest.fixture
def day(scratch: Running, told: dict[str, bool]) -> Running:
    """A store in which an address went from one device to another, with names and users."""
    if not told:
        accounting = [("type", "accounting"), ("session", "s1"), ("nas", "ap-7"), ("port", "wlan0")]
        rows = [
            leased(0, FIRST, 1_800),
            said(1, "dhcp_request", FIRST, name="cart-1", attributes=[("type", "request")]),
            leased(3_600, SECOND_PC),
            said(3_601, "dhcp_request", SECOND_PC, name="<b>cart-2</b>", attributes=[("type", "request")]),
            said(3_900, "arp", FIRST, ip=ADDRESS, attributes=[("op", "request")]),
            said(10, "radius", FIRST, name="School\\Pupil.One", value="start", attributes=accounting),
            said(1_700, "radius", FIRST, name="School\\Pupil.One", value="stop", attributes=accounting),
            said(3_700, "kerberos", SECOND_PC, ip=ADDRESS, name="pupil.one", value="SCHOOL.EXAMPLE",
                 attributes=[("type", "as_reply")]),
            said(3_800, "kerberos", SECOND_PC, ip=ADDRESS, name="pupil.two", value="SCHOOL.EXAMPLE",
                 attributes=[("type", "as_reply")]),
        ]  # fmt: skip
        put(scratch.store, "sightings", rows)
        seen = ((60, FIRST), (4_000, SECOND_PC))
        flows = [flow(BASE + at, TABLET, client_mac=mac) | {"client": ADDRESS} for at, mac in seen]
        put(scratch.store, "flows", flows)
        put(
            scratch.store,
            "attempts",
            [attempt(BASE + 61, TABLET, "video.example", "allowed", ["social_media"]) | {"client": ADDRESS}],
        )
        put(scratch.store, "findings", [finding(BASE // 60 + 2, "scanning", ADDRESS),
                                        finding(BASE // 60 + 90, "scanning", ADDRESS)])  # fmt: skip
        tick = {
            "ts": NINE + (BASE + 100) * SECOND,
            "sensor": "aula",
            "boot": "b2",
            "event": "tick",
            "site": "main",
        }
        put(scratch.store, "health", [tick])
        bind(scratch.store, NINE + BASE * SECOND, NINE + (BASE + 7_200) * SECOND)
        for at, name in ((BASE - DAY, "old name"), (BASE + 3_000, "new name")):
            device = {
                mac_text(FIRST): ("d.csv", Device(mac_text(FIRST), name, "/Grade 5", "annex", ("cart",)))
            }
            note_inventories(scratch.store, device, lambda at=at: (NINE + at * SECOND) * 1_000)
        told["done"] = True
    return scratch


def asked(running: Running, seconds: float, *roles: str, **more: str) -> dict:
    params = {"client": ADDRESS, "at": when(seconds), **more}
    answer = running.get("/v1/devices", *(roles or ("helpdesk",)), params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_who_had_an_address_at_a_moment(day: Running) -> None:
    """The holder of the lease at that moment, by the name of then; later another; in between nobody."""
    [row] = asked(day, 100)["rows"]
    assert (row["mac"], row["name"], row["name_source"]) == (mac_text(FIRST), "old name", "inventory")
    assert (row["confidence"], row["owner_group"], row["tags"]) == (95, "/Grade 5", ["cart"])
    assert set(row["sources"]) == {"dhcp", "flows"}
    assert asked(day, 100)["covered"] is True
    later = asked(day, 3_650)
    assert [row["mac"] for row in later["rows"]] == [mac_text(SECOND_PC)]
    assert later["rows"][0]["name"] == "<b>cart-2</b>"
    assert later["covered"] is False
    assert asked(day, 2_500)["rows"] == []


def test_conflicts_are_all_told(day: Running) -> None:
    """Two devices that claim one address are two rows, the surest first, the renamed one by its new name."""
    rows = asked(day, 3_950)["rows"]
    assert [(row["mac"], row["confidence"], row["name"]) for row in rows] == [
        (mac_text(SECOND_PC), 95, "<b>cart-2</b>"),
        (mac_text(FIRST), 80, "new name"),
    ]


def test_persons_are_pseudonyms(day: Running) -> None:
    """A user is a pseudonym, the same however the realm is written; an investigator's case shows it."""
    [early] = asked(day, 100)["rows"]
    [late] = asked(day, 3_750)["rows"]
    assert [user["user"] for user in late["users"]] == [user["user"] for user in early["users"]]
    assert early["users"][0]["user"].startswith("u-")
    assert (early["users"][0]["source"], early["users"][0]["confidence"]) == ("radius", 95)
    [shown] = asked(day, 100, "investigator", case="C-1")["rows"]
    assert [user["user"] for user in shown["users"]] == ["school\\pupil.one"]
    refused = day.get("/v1/devices", "investigator", params={"client": ADDRESS, "at": when(100)})
    assert refused.status_code == 403
    for text in (str(asked(day, 3_950)), str(asked(day, 3_950, "engineer", case="C-1"))):
        assert "pupil" not in text
    # Two at one machine are both told.
    assert len(asked(day, 3_850)["rows"][0]["users"]) == 2


def test_a_look_is_logged(day: Running) -> None:
    """Asking who had an address is in the access log before it is answered."""
    before = day.logged()
    asked(day, 100)
    assert day.logged() == before + 1


@pytest.mark.parametrize(
    "params",
    [{"at": "-1h"}, {"client": "10.0.0.0/8", "at": "-1h"}, {"client": ADDRESS, "at": "noon"},
     {"client": ADDRESS, "at": "2026-03-02T10:32:00"}],
)  # fmt: skip
def test_what_is_no_moment_of_an_address(day: Running, params: dict) -> None:
    """Without one address, or without a time that can be placed, the mend is told."""
    answer = day.get("/v1/devices", "helpdesk", params=params)
    assert answer.status_code == 422
    assert answer.json()["mend"]


def test_records_tell_the_device_of_their_time(day: Running) -> None:
    """Flows, attempts and findings carry the device that had the address at their own time."""
    params = {"client": ADDRESS, "from": when(0), "to": when(7_200)}
    flows = day.get("/v1/flows", "engineer", params=params).json()["rows"]
    assert [(row["device"], row["devices"]) for row in flows] == [
        (mac_text(SECOND_PC), 2),
        (mac_text(FIRST), 1),
    ]
    [row] = day.get("/v1/filtering/attempts", "investigator", params=params | {"case": "C"}).json()["rows"]
    assert (row["device"], row["device_name"]) == (mac_text(FIRST), "old name")
    params = {"subject": ADDRESS, "from": when(0), "to": when(7_200)}
    found = day.get("/v1/findings", "engineer", params=params).json()["rows"]
    assert [row["device_name"] for row in found] == ["<b>cart-2</b>", "old name"]
    one = day.get(f"/v1/findings/{found[1]['id']}", "engineer").json()
    assert one["device"] == mac_text(FIRST)
    csv = day.get("/v1/findings", "engineer", params=params, accept="text/csv").text
    assert "device,device_name,devices" in csv.splitlines()[0]


def test_pseudonyms_hide_devices(day: Running) -> None:
    """Who sees pseudonyms sees a device's, and no name that it gave itself."""
    params = {"from": when(0), "to": when(7_200)}
    rows = day.get("/v1/findings", "auditor", params=params).json()["rows"]
    assert {(row["device"][:2], row["device_name"], row["devices"]) for row in rows} == {("d-", None, None)}


def test_top_talkers_name_the_device_of_the_range(day: Running) -> None:
    """A host is called what had its address in the range, not what has it now."""

    def name(first: float, last: float) -> tuple:
        params = {"by": "host", "client": ADDRESS, "from": when(first), "to": when(last)}
        [row] = day.get("/v1/bandwidth/top", "helpdesk", params=params).json()["rows"]
        return row["name"], row["device"], row["devices"]

    assert name(0, 120) == ("old name", mac_text(FIRST), 1)
    assert name(3_960, 4_080) == ("<b>cart-2</b>", mac_text(SECOND_PC), 2)


def test_a_device_through_time(day: Running) -> None:
    """Intervals of addresses, names and users, ports, inventory, findings of its own time, gaps."""
    params = {"from": when(0), "to": when(7_200)}
    got = day.get(f"/v1/devices/{mac_text(FIRST)}", "engineer", params=params).json()
    by_source = {row["source"]: row for row in got["bindings"]}
    assert set(by_source) == {"dhcp", "flows", "arp", "dhcp_name", "radius"}
    assert (by_source["dhcp"]["from"], by_source["dhcp"]["to"], by_source["dhcp"]["ip"]) == (
        when(0), when(1_800), ADDRESS,
    )  # fmt: skip
    assert by_source["radius"]["user"].startswith("u-")
    assert [row["name"] for row in got["inventory"]] == ["old name", "new name"]
    assert got["inventory"][0]["to"] == got["inventory"][1]["from"] == when(3_000)
    assert (got["ports"][0]["nas"], got["ports"][0]["port"]) == ("ap-7", "wlan0")
    assert len(got["findings"]) == 1
    assert got["gaps"]
    assert "upil" not in str(got)
    assert day.get(f"/v1/devices/{mac_text(FIRST)}", "helpdesk", params=params).json()["findings"] is None


def test_behind_a_router(scratch: Running) -> None:
    """An address whose frames come from a router's MAC has no device, and the answer says so."""
    at = NINE + 5 * DAY * SECOND
    values = {
        "site": ["main"] * 2, "ip": [address_bytes("10.20.5.1"), bytes(16)], "vlan": [0, 0],
        "mac": [ROUTER] * 2, "source": ["flows", "router"], "from": [at] * 2, "to": [at + 600 * SECOND] * 2,
        "confidence": [70, 100],
    }  # fmt: skip
    types = {"ip": pa.binary(16), "vlan": pa.uint16(), "mac": pa.uint64(), "from": TIME, "to": TIME,
             "confidence": pa.uint8()}  # fmt: skip
    batch = pa.record_batch([pa.array(v, types.get(k)) for k, v in values.items()], names=list(values))
    scratch.store.insert("bindings", batch, "behind")
    params = {"client": "10.20.5.1", "at": "2026-03-07T17:05:00Z"}
    [row] = scratch.get("/v1/devices", "helpdesk", params=params).json()["rows"]
    assert (row["mac"], row["behind_router"], row["confidence"]) == (None, mac_text(ROUTER), None)


def test_pages_show_it(day: Running) -> None:
    """The device's page has its time line, the host's page who had it; names from the wire are escaped."""
    query = f"from={when(0)}&to={when(7_200)}"
    page = day.get(f"/devices/{mac_text(SECOND_PC)}?{query}", "engineer", accept="text/html").text
    assert "<b>cart-2" not in page
    assert "&lt;b&gt;cart-2" in page
    assert page.count("<rect class=") >= 3
    host = day.get(f"/hosts/{ADDRESS}?{query}", "engineer", accept="text/html").text
    assert mac_text(FIRST) in host
    assert mac_text(SECOND_PC) in host
    assert "pupil" not in host


def test_the_school_is_bound(school: Running) -> None:
    """Flows alone bind a host to its MAC."""
    params = {"client": TABLET, "at": "2026-03-02T17:02:00Z"}
    [row] = school.get("/v1/devices", "helpdesk", params=params).json()["rows"]
    assert (row["mac"], row["sources"], row["randomised"]) == (mac_text(MACS[TABLET]), ["flows"], True)
    params["client"] = LAPTOP
    assert school.get("/v1/devices", "helpdesk", params=params).json()["rows"][0]["name"] == "cart-12"
