"""A small school made by hand: flows, questions, sightings, health, attempts and findings of one morning."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from classifiers.bindings import Bindings
from classifiers.loss import moment
from classifiers.policy import load_policy
from pipeline.records import SCHEMAS, TEXT, TEXTS, TIME, address_bytes
from pipeline.store.client import Store

NINE = int(datetime(2026, 3, 2, 17, 0, tzinfo=UTC).timestamp() * 1e6)  # 09:00 in Los Angeles
SECOND = 1_000_000
TABLET, LAPTOP, OFFICE = "10.20.0.11", "10.20.0.12", "10.30.0.5"
MACS = {TABLET: 0x02_00_5E_00_00_11, LAPTOP: 0x00_00_5E_00_00_12, OFFICE: 0x00_00_5E_00_00_05}
GROUPS = {TABLET: "students", LAPTOP: "students", OFFICE: "staff"}
SERVER = "192.0.2.80"
ADDED = {
    "site": TEXT, "group": TEXT, "device_ownership": TEXT, "categories": TEXTS, "service": TEXT,
    "action": TEXT, "clause": TEXT, "policy_version": TEXT, "verdict": TEXT, "mechanism": TEXT,
    "confidence": pa.uint8(),
}  # fmt: skip
ATTEMPT = {
    "site": TEXT, "client": pa.binary(16), "group": TEXT, "name": TEXT, "window_start": TIME, "first": TIME,
    "last": TIME, "categories": TEXTS, "service": TEXT, "action": TEXT, "clause": TEXT,
    "policy_version": TEXT, "verdict": TEXT, "mechanism": TEXT, "confidence": pa.uint8(),
    "corroborators": TEXTS, "evidence": TEXTS, "bytes_down": pa.uint64(), "dns": pa.uint32(),
    "tcp": pa.uint32(), "quic": pa.uint32(), "resolved": pa.bool_(), "embedded": pa.bool_(),
    "blocked_over": TEXTS, "delivered_over": TEXTS, "resolver": TEXT, "initiated": TEXT,
    "loss": pa.float64(), "samples": TEXTS,
}  # fmt: skip
NUMBERS = pa.map_(pa.string(), pa.float64())
FINDING = {
    "id": TEXT, "detector": TEXT, "class": TEXT, "title": TEXT, "subject_kind": TEXT, "subject": TEXT,
    "site": TEXT, "from": TIME, "to": TIME, "severity": TEXT, "confidence": pa.uint8(), "clause": TEXT,
    "statement": TEXT, "inputs": NUMBERS, "thresholds": NUMBERS, "samples": TEXTS, "loss": pa.float64(),
    "inconclusive": pa.bool_(), "strength": pa.float64(),
}  # fmt: skip
BATCH = {
    "sensor": TEXT, "boot": TEXT, "sequence": pa.uint64(), "records": TEXT, "rows": pa.uint64(),
    "first": TIME, "last": TIME, "sha256": TEXT, "inserted": TIME,
}  # fmt: skip


def _empty(type_: pa.DataType) -> Any:
    if pa.types.is_list(type_) or pa.types.is_map(type_):
        return []
    if pa.types.is_binary(type_) or pa.types.is_fixed_size_binary(type_):
        return address_bytes("::")
    if pa.types.is_string(type_) or pa.types.is_dictionary(type_):
        return ""
    return False if pa.types.is_boolean(type_) else 0


def _types(table: str) -> dict[str, pa.DataType]:
    made = {"attempts": ATTEMPT, "findings": FINDING, "batches": BATCH}
    if table in made:
        return made[table]
    own = {field.name: field.type for field in SCHEMAS[table]}
    if table in ("flows", "dns"):
        own |= ADDED
    if table == "sightings":
        own["sensor"] = TEXT
    return own if table in ("flows", "dns") else own | {"site": TEXT}


def put(store: Store, table: str, rows: list[dict[str, Any]]) -> None:
    """Inserts rows of which only the columns that matter are given."""
    types = _types(table)
    nullable = {field.name for field in SCHEMAS.get(table, []) if field.nullable}
    columns = []
    for name, type_ in types.items():
        plain = pa.string() if pa.types.is_dictionary(type_) else type_
        absent = None if name in nullable else _empty(type_)
        values = [row.get(name, absent) for row in rows]
        if type_ == pa.binary(16):
            values = [address_bytes(value) if isinstance(value, str) else value for value in values]
        columns.append(pa.array(values, plain))
    batch = pa.record_batch(columns, names=list(types))
    store.insert(table, batch, hashlib.sha256(repr((table, rows)).encode()).hexdigest())


def flow(at: int, client: str, **values: Any) -> dict[str, Any]:
    """One flow row `at` seconds after nine, ten seconds long unless said otherwise."""
    start = NINE + int(at * SECOND)
    return {
        "sensor": "aula", "flow_id": at, "start": start, "first": start, "end": start + 10 * SECOND,
        "client": client, "server": SERVER, "client_port": 50_000, "server_port": 443, "protocol": 6,
        "client_mac": MACS[client], "bytes_up": 1_000, "bytes_down": 50_000, "packets_up": 10,
        "packets_down": 40, "state": "SF", "ended": "closed", "application": "tls", "name_source": "sni",
        "site": "main", "group": GROUPS[client], "policy_version": "p1",
    } | values  # fmt: skip


VIDEO = {
    "server_name": "video.example", "service": "examplevideo", "categories": ["streaming_video"],
    "action": "limit", "clause": "S9a",
}  # fmt: skip
ADULT = {
    "server_name": "adult.example", "service": "exampleadult", "categories": ["adult"],
    "action": "prohibit", "clause": "S3", "verdict": "blocked", "mechanism": "dns_sinkhole", "confidence": 95,
}  # fmt: skip
ABUSE = {
    "server_name": "never.example", "service": "exampleabuse", "categories": ["abuse"],
    "action": "prohibit", "clause": "S3",
}  # fmt: skip
CRISIS = {"server_name": "crisis.example", "service": "examplecrisis", "categories": ["crisis_support"]}
PLAIN = {"server_name": "school.example", "service": "exampleschool"}


def attempt(
    at: int,
    client: str,
    name: str,
    verdict: str,
    categories: list[str],
    action: str = "prohibit",
    **values: Any,
) -> dict[str, Any]:
    start = NINE + at * SECOND
    return {
        "site": "main", "client": client, "group": GROUPS[client], "name": name, "window_start": start,
        "first": start, "last": start + 2 * SECOND, "categories": categories, "action": action,
        "clause": "S3b", "policy_version": "p1", "verdict": verdict, "mechanism": "dns_sinkhole",
        "confidence": 95, "dns": 1, "samples": [f"{client} asked for {name}"], "initiated": "user",
        "loss": 0.0,
    } | values  # fmt: skip


def finding(number: int, class_: str, subject: str, **values: Any) -> dict[str, Any]:
    return {
        "id": f"{number:032x}", "detector": f"detector_{class_}", "class": class_,
        "title": f"Finding about {class_}", "subject_kind": "host", "subject": subject, "site": "main",
        "from": NINE + number * 60 * SECOND, "to": NINE + (number + 5) * 60 * SECOND, "severity": "high",
        "confidence": 90, "clause": "S9", "statement": f"{subject} tried 51 hosts.",
        "inputs": [("targets", 51.0)], "thresholds": [("targets", 50.0)], "samples": [f"{subject} to x"],
        "loss": 0.0, "strength": 1.0,
    } | values  # fmt: skip


def bind(store: Store, first: int = NINE, last: int = NINE + 3_600 * SECOND) -> None:
    """Builds the bindings of a time, as a round does."""
    policy = load_policy(None)
    policy = policy.model_copy(update={"sites": (policy.sites[0].model_copy(update={"id": "main"}),)})
    Bindings(store, policy).rebuild(moment(first), moment(last))


def fill(store: Store) -> None:
    """Puts the morning into an empty, migrated store."""
    flows = [flow(minute * 60, TABLET, **VIDEO) for minute in range(10)]
    flows += [flow(minute * 60 + 5, LAPTOP, bytes_down=9_000, **PLAIN) for minute in range(10)]
    flows += [
        flow(30, OFFICE, bytes_down=700, **PLAIN),
        flow(31, LAPTOP, **ADULT),
        flow(32, LAPTOP, **ABUSE),
        flow(33, TABLET, **CRISIS),
        flow(34, OFFICE, application="", name_source="none", bytes_down=300),
    ]
    put(store, "flows", flows)
    put(
        store,
        "dns",
        [
            {"ts": NINE + 29 * SECOND, "client": LAPTOP, "server": "10.20.0.1", "transport": "udp",
             "qtype": 1, "qname": "adult.example", "rcode": 0, "ra": True, "answered": True, "sensor": "aula",
             "addresses": [address_bytes("0.0.0.0")], "site": "main", "group": "students",
             "categories": ["adult"], "action": "prohibit", "verdict": "blocked"},
            {"ts": NINE + 3 * SECOND, "client": TABLET, "server": "10.20.0.1", "transport": "udp",
             "qtype": 28, "qname": "video.example", "answered": False, "sensor": "aula", "site": "main",
             "group": "students", "categories": ["streaming_video"], "service": "examplevideo"},
        ],
    )  # fmt: skip
    put(
        store,
        "sightings",
        [
            {"ts": NINE + SECOND, "source": "dhcp_request", "mac": MACS[LAPTOP], "ip": LAPTOP,
             "name": "cart-12", "value": "<script>alert(1)</script>", "attributes": [("class", "laptop")],
             "sensor": "aula", "site": "main"},
            {"ts": NINE + 2 * SECOND, "source": "mdns", "mac": 0x00_00_5E_00_00_77, "ip": "10.20.0.77",
             "name": "=cmd|'/c calc'!A1", "sensor": "aula", "site": "main"},
        ],
    )  # fmt: skip
    ticks = [
        {"ts": NINE + at * SECOND, "sensor": "aula", "boot": "b1", "sequence": at, "event": "tick",
         "packets": 1_000, "bytes": 700_000, "dropped_kernel": 10, "flows": 7, "flows_peak": 9,
         "version": "0.1.0", "site": "main"}
        for at in range(10, 610, 10) if not 200 < at < 300
    ]  # fmt: skip
    put(store, "health", ticks)
    put(
        store,
        "attempts",
        [
            attempt(30, LAPTOP, "adult.example", "blocked", ["adult"]),
            attempt(90, LAPTOP, "never.example", "blocked", ["abuse"]),
            attempt(150, TABLET, "friends.example", "partial", ["social_media"]),
            attempt(210, TABLET, "friends.example", "blocked", ["social_media"]),
            attempt(270, TABLET, "friends.example", "inconclusive", ["social_media"]),
            attempt(330, OFFICE, "friends.example", "allowed", ["social_media", "chat"], "allow"),
            attempt(390, OFFICE, "friends.example", "blocked", ["social_media", "chat"], "allow"),
            attempt(
                450,
                TABLET,
                "video.example",
                "allowed",
                ["streaming_video"],
                "limit",
                initiated="background",
                loss=None,
            ),
        ],
    )
    put(
        store,
        "findings",
        [
            finding(1, "scanning", LAPTOP),
            finding(2, "filtering", TABLET, statement=f"{TABLET} reached prohibited names 9 times."),
            finding(3, "equipment", "00:00:5e:00:00:77", subject_kind="device",
                    statement="00:00:5e:00:00:77 answered 31 DHCP requests from 10.20.0.77."),
        ],
    )  # fmt: skip
    put(
        store,
        "batches",
        [
            {"sensor": "aula", "boot": "b1", "sequence": 0, "records": "flows", "rows": len(flows),
             "first": NINE, "last": NINE + 600 * SECOND, "inserted": NINE},
            {"sensor": "annex", "boot": "b0", "sequence": 0, "records": "flows", "rows": 1,
             "first": NINE - 86_400 * SECOND, "last": NINE - 86_000 * SECOND, "inserted": NINE},
        ],
    )  # fmt: skip
    bind(store)
