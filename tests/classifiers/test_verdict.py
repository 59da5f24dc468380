"""Evidence → verdict, mechanism and confidence; and attempts that are the same however they are asked for."""

import random
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from classifiers.facts import Facts
from classifiers.verdict import Verdicts, method, pieces
from pipeline.records import address_bytes
from tests.classifiers.conftest import Scribe, at, make_policy

A, B, C = "10.20.0.10", "10.20.0.11", "10.20.0.12"
REAL = "203.0.113.10"
PROXY = "10.10.0.31"
#: Resolvers of one case each.
OTHER = [f"10.10.1.{number}" for number in range(8)]
NX, REFUSED = {"rcode": 3}, {"rcode": 5}
HELLO = {"hello": 1, "acked_down": 0, "bytes_down": 40, "payload_down": 0}
RESET = {**HELLO, "reset_by": "server", "state": "RSTR"}
OWN = {**RESET, "reset_ttl_delta": 0}
SILENCE = {**HELLO, "retransmits_up": 3}
QUIC = {"protocol": 17, "name_source": "quic", "application": "quic"}
NOTHING = {
    **QUIC, "hello": 1, "packets_up": 2, "packets_down": 0, "lasts": 3.0, "acked_down": 0, "bytes_down": 0,
    "payload_down": 0,
}  # fmt: skip
SYN = {
    "name_source": "dns", "hello": 0, "application": "", "payload_up": 0, "payload_down": 0, "acked_down": 0,
    "bytes_down": 0,
}  # fmt: skip
TUNNEL = {"name_source": "sni", "http_method": "CONNECT", "hello": 3}
HTTP = {"name_source": "http", "application": "http", "http_method": "GET", "hello": 0}
UNANSWERED = {"http_status": None, "acked_down": 0, "payload_down": 0}
CONNECT = {"name_source": "http", "http_method": "CONNECT", "hello": 0}
#: Columns of a flow that are unknown where its SYN-ACK was not seen.
UNSEEN = ("rtt_us", "reset_ttl_delta", "ttl_down_min", "ttl_down_max")
#: What a school asks besides: names on no list.
PLAIN: dict[str, Any] = {"categories": [], "action": "allow"}


def dns(name: str, *addresses: str, client: str = A, t: float = 0, **values: Any) -> tuple[Any, ...]:
    if "server" in values:
        values["server"] = address_bytes(values["server"])
    return ("dns", t, client, name, addresses, values)


def tls(name: str, server: str = REAL, client: str = A, t: float = 0.2, **values: Any) -> tuple[Any, ...]:
    return ("named", t, client, server, name, values)


def around(server: str, protocol: int = 6, client: str = B, **values: Any) -> list[tuple[Any, ...]]:
    """Other names that a server served before and after: it was alive."""
    quic = {**QUIC, "hello": 0} if protocol == 17 else {}
    return [
        tls(name, server, client, t, **{**PLAIN, **quic, **values})
        for name, t in (("fine.example", -20), ("well.example", 25))
    ]


def asked(client: str = B, **values: Any) -> list[tuple[Any, ...]]:
    """Other names that the resolver answered before and after: it was alive."""
    return [
        dns(name, REAL, client=client, t=t, **{**PLAIN, **values})
        for name, t in (("fine.example", -20), ("well.example", 25))
    ]


def http(name: str, status: int, server: str = REAL, **values: Any) -> tuple[Any, ...]:
    return tls(name, server, **{**HTTP, "http_status": status, **values})


#: Case → (records, verdict, mechanism, confidence, corroborators) of client A's attempt at the case's name.
CASES: dict[str, tuple[list[tuple[Any, ...]], str, str, int, list[str]]] = {
    "ede-blocked": ([dns("", rcode=3, ede=15)], "blocked", "dns_ede", 98, []),
    "ede-forged": ([dns("", REAL, ede=4)], "blocked", "dns_ede", 98, []),
    "ede-other": ([dns("", rcode=2, ede=22)], "inconclusive", "", 0, []),
    "sinkhole": ([dns("", "10.10.0.80")], "blocked", "dns_sinkhole", 95, []),
    "zero-address": ([dns("", "0.0.0.0"), dns("", "::", qtype=28)], "blocked", "dns_sinkhole", 95, []),
    "block-host-cname": ([dns("", answers=["block.example"])], "blocked", "dns_sinkhole", 95, []),
    "sinkhole-connection": ([tls("", "10.10.0.80")], "blocked", "dns_sinkhole", 95, []),
    "redirect": ([http("", 302, http_location="www.block.example")], "blocked", "http_block_page", 95, []),
    "status-511": ([http("", 511)], "blocked", "http_block_page", 95, []),
    "nxdomain-ra0": ([dns("", rcode=3, ra=False), *asked()], "inconclusive", "dns_nxdomain_ra0", 80, []),
    "nxdomain-ra0-two": (
        [dns("", rcode=3, ra=False), dns("", client=B, rcode=3, ra=False), *asked()],
        "blocked", "dns_nxdomain_ra0", 98, ["clients"],
    ),
    "nxdomain-ra0-habit": (
        [dns("", rcode=3, ra=False, server=OTHER[0]), dns("", client=B, rcode=3, ra=False, server=OTHER[0]),
         *asked(server=OTHER[0], ra=False)],
        "inconclusive", "dns_nxdomain", 60, ["clients"],
    ),
    "refused": ([dns("", **REFUSED), *asked(A)], "inconclusive", "dns_refused", 80, []),
    "refused-two": (
        [dns("", **REFUSED), dns("", client=B, **REFUSED), *asked(A)],
        "blocked", "dns_refused", 98, ["clients"],
    ),
    "refused-everything": (
        [dns("", server=OTHER[1], **REFUSED), dns("", client=B, server=OTHER[1], **REFUSED),
         *asked(server=OTHER[1])],
        "inconclusive", "dns_refused", 80, [],
    ),
    "refused-from-now-on": (
        [dns("", server=OTHER[2], **REFUSED), dns("", client=B, server=OTHER[2], **REFUSED),
         dns("fine.example", REAL, t=-20, server=OTHER[2], **PLAIN),
         dns("well.example", t=5, server=OTHER[2], **{**PLAIN, **REFUSED})],
        "inconclusive", "dns_refused", 80, [],
    ),
    "refused-for-a-while": (
        [dns("", server=OTHER[3], **REFUSED), dns("", client=B, server=OTHER[3], **REFUSED),
         *asked(A, server=OTHER[3]),
         *(dns(f"n{i}.example", t=i, server=OTHER[3], **{**PLAIN, **REFUSED}) for i in range(-8, 9))],
        "inconclusive", "dns_refused", 80, [],
    ),
    "ede-prohibited": ([dns("", ede=18, **REFUSED), *asked(A)], "blocked", "dns_ede", 98, []),
    "ede-prohibited-everything": (
        [dns("", ede=18, server=OTHER[4], **REFUSED)], "inconclusive", "dns_refused", 80, []
    ),
    "servfail": ([dns("", rcode=2), dns("", client=B, rcode=2), *asked(A)], "inconclusive", "", 0, []),
    "reset": ([dns("", REAL), tls("", **RESET)], "inconclusive", "reset", 40, []),
    "reset-ttl": ([tls("", **RESET, reset_ttl_delta=-7)], "inconclusive", "reset", 70, ["ttl"]),
    "reset-ttl-one": ([tls("", **RESET, reset_ttl_delta=1)], "inconclusive", "reset", 40, []),
    "reset-ttl-server": (
        [tls("", "203.0.113.21", **RESET, reset_ttl_delta=9), *around("203.0.113.21")],
        "blocked", "reset", 98, ["server", "ttl"],
    ),
    "reset-own": (
        [*(tls("", "203.0.113.30", client=c, **OWN) for c in (A, B)), *around("203.0.113.30")],
        "inconclusive", "reset", 70, ["server"],
    ),
    "reset-one-off": (
        [*(tls("", "203.0.113.37", client=c, **RESET, reset_ttl_delta=1) for c in (A, B)),
         *around("203.0.113.37")],
        "inconclusive", "reset", 70, ["server"],
    ),
    "reset-of-unknown-ttl": (
        [tls("", "203.0.113.38", **RESET), tls("", "203.0.113.38", client=B, **OWN), *around("203.0.113.38")],
        "inconclusive", "reset", 70, ["server"],
    ),
    "closed-with-unknown-ttls": (
        [*(tls("", "203.0.113.39", client=c, **HELLO, flags_down=0x13) for c in (A, B)),
         *around("203.0.113.39")],
        "inconclusive", "closed", 70, ["server"],
    ),
    "reset-own-from-nearer": (
        [tls("", "203.0.113.31", client=c, **OWN, rtt_us=20_000, reset_us=300) for c in (A, B)],
        "blocked", "reset", 98, ["clients", "near"],
    ),
    "reset-after-an-unknown-trip": (
        [tls("", "203.0.113.36", client=c, **OWN, reset_us=300) for c in (A, B)],
        "inconclusive", "reset", 40, [],
    ),
    "reset-after-a-slow-handshake": (
        [tls("", "203.0.113.77", client=c, **OWN, rtt_us=200_000, reset_us=16_000) for c in (A, B)],
        "inconclusive", "reset", 40, [],
    ),
    "reset-late-as-the-server": (
        [*(tls("", "203.0.113.32", client=c, **OWN, rtt_us=20_000, reset_us=300) for c in (A, B)),
         *around("203.0.113.32", rtt_us=1_000)],
        "inconclusive", "reset", 70, ["server"],
    ),
    "alert-own": (
        [*(tls("", "203.0.113.33", client=c, **{**HELLO, "hello": 5}, ttl_down_min=57, ttl_down_max=57)
           for c in (A, B)), *around("203.0.113.33")],
        "inconclusive", "alert", 70, ["server"],
    ),
    "reset-server-died": (
        [tls("", "203.0.113.22", **RESET, reset_ttl_delta=9), *around("203.0.113.22")[:1]],
        "inconclusive", "reset", 70, ["ttl"],
    ),
    "reset-data": (
        [tls("", **{**RESET, "hello": 3, "payload_down": 3_000}, flags_up=0x1E, reset_ttl_delta=9)],
        "blocked", "reset", 98, ["data", "ttl"],
    ),
    "reset-behind-data": (
        [tls("", **{**RESET, "hello": 3, "payload_down": 3_000, "acked_down": 3_000}, flags_up=0x1E,
             reset_ttl_delta=9)],
        "inconclusive", "", 0, [],
    ),
    "reset-before-acknowledgement": (
        [tls("", **{**RESET, "hello": 3, "payload_down": 3_000}, reset_ttl_delta=9)],
        "inconclusive", "", 0, [],
    ),
    "reset-unseen-hello": (
        [tls("", **{**RESET, "acked_down": 4_000}, reset_ttl_delta=9)], "inconclusive", "", 0, []
    ),
    "reset-http": ([http("", 0, **UNANSWERED, reset_by="server")], "inconclusive", "reset", 40, []),
    "closed-by-client": ([tls("", **{**HELLO, "reset_by": "client"})], "inconclusive", "", 0, []),
    "reset-late": ([tls("", reset_by="server")], "allowed", "", 97, []),
    "alert": ([tls("", **{**HELLO, "hello": 5})], "inconclusive", "alert", 40, []),
    "alert-ttl": (
        [tls("", **{**HELLO, "hello": 5}, ttl_down_min=57, ttl_down_max=64)],
        "inconclusive", "alert", 70, ["ttl"],
    ),
    "closed": ([tls("", **HELLO, flags_down=0x13)], "inconclusive", "closed", 40, []),
    "closed-by-itself": (
        [*(tls("", "203.0.113.34", client=c, **HELLO, flags_down=0x13, ttl_down_min=57, ttl_down_max=57)
           for c in (A, B)), *around("203.0.113.34")],
        "inconclusive", "closed", 70, ["server"],
    ),
    "closed-from-elsewhere": (
        [*(tls("", "203.0.113.35", client=c, **HELLO, flags_down=0x13, ttl_down_min=57, ttl_down_max=64)
           for c in (A, B)), *around("203.0.113.35")],
        "blocked", "closed", 98, ["clients", "server", "ttl"],
    ),
    "silence": ([tls("", **SILENCE)], "inconclusive", "silence", 40, []),
    "silence-http": ([http("", 0, **UNANSWERED, retransmits_up=3)], "inconclusive", "silence", 40, []),
    "silence-two-retries": ([tls("", **{**SILENCE, "retransmits_up": 2})], "inconclusive", "", 0, []),
    "silence-unseen-answer": ([tls("", **{**SILENCE, "lost": 3_000})], "inconclusive", "", 0, []),
    "silence-outage": (
        [tls("", "203.0.113.23", **SILENCE), tls("", "203.0.113.23", client=B, **SILENCE)],
        "inconclusive", "silence", 70, ["clients"],
    ),
    "silence-server-died": (
        [tls("", "203.0.113.24", **SILENCE), tls("", "203.0.113.24", client=B, **SILENCE),
         *around("203.0.113.24")[:1]],
        "inconclusive", "silence", 70, ["clients"],
    ),
    "silence-server-came-back": (
        [tls("", "203.0.113.25", **SILENCE), tls("", "203.0.113.25", client=B, **SILENCE),
         *around("203.0.113.25")[1:]],
        "inconclusive", "silence", 70, ["clients"],
    ),
    "silence-server-out-for-a-moment": (
        [tls("", "203.0.113.26", **SILENCE), tls("", "203.0.113.26", client=B, **SILENCE),
         *around("203.0.113.26"),
         *(tls(f"n{i}.example", "203.0.113.26", t=i, **{**PLAIN, **SILENCE}) for i in range(2))],
        "inconclusive", "silence", 70, ["clients"],
    ),
    "silence-blocked": (
        [tls("", "203.0.113.27", **SILENCE), tls("", "203.0.113.27", client=B, **SILENCE),
         *around("203.0.113.27")],
        "blocked", "silence", 98, ["clients", "server"],
    ),
    "quic-silence": ([tls("", **NOTHING)], "inconclusive", "quic_silence", 40, []),
    "quic-silence-blocked": (
        [tls("", "203.0.113.28", **NOTHING), tls("", "203.0.113.28", client=B, **NOTHING),
         *around("203.0.113.28", protocol=17)],
        "blocked", "quic_silence", 98, ["clients", "server"],
    ),
    "quic-silence-tcp-alive": (
        [tls("", "203.0.113.29", **NOTHING), tls("", "203.0.113.29", client=B, **NOTHING),
         *around("203.0.113.29")],
        "inconclusive", "quic_silence", 70, ["clients"],
    ),
    "quic-silence-then-tcp": ([tls("", **NOTHING), tls("", t=4)], "allowed", "quic_silence", 97, []),
    "quic-once": ([tls("", **{**NOTHING, "packets_up": 1})], "inconclusive", "", 0, []),
    "quic-too-soon": ([tls("", **{**NOTHING, "lasts": 1.0})], "inconclusive", "", 0, []),
    "nxdomain": ([dns("", **NX)], "inconclusive", "dns_nxdomain", 30, []),
    "nxdomain-two": (
        [dns("", **NX), dns("", client=B, **NX), *asked()], "inconclusive", "dns_nxdomain", 60, ["clients"]
    ),
    "nxdomain-resolved-two": (
        [dns("", REAL, client=C, t=-60), dns("", **NX), dns("", client=B, **NX), *asked()],
        "blocked", "dns_nxdomain", 90, ["clients", "resolved"],
    ),
    "nxdomain-of-everything": (
        [dns("", REAL, client=C, t=-60, server=OTHER[5]), dns("", server=OTHER[5], **NX),
         dns("", client=B, server=OTHER[5], **NX), *asked(server=OTHER[5]),
         *(dns(f"n{i}.example", t=i, server=OTHER[5], **{**PLAIN, **NX}) for i in range(9))],
        "inconclusive", "dns_nxdomain", 30, [],
    ),
    "nodata": ([dns(""), *asked()], "inconclusive", "dns_nodata", 30, []),
    "nodata-one-family": ([dns("", REAL), dns("", qtype=28)], "inconclusive", "", 0, []),
    "named-by-address-and-holes": (
        [tls("", name_source="dns", hello=0, application="", lost=500)], "inconclusive", "", 0, []
    ),
    "nodata-https-type": ([dns("", qtype=65)], "inconclusive", "", 0, []),
    "nxdomain-bare": ([dns("", **NX, soa=False), *asked()], "inconclusive", "dns_nxdomain_bare", 80, []),
    "nxdomain-bare-two": (
        [dns("", **NX, soa=False), dns("", client=B, **NX, soa=False), *asked()],
        "blocked", "dns_nxdomain_bare", 98, ["clients"],
    ),
    "nxdomain-bare-once-whole": (
        [dns("", **NX, soa=False), dns("", client=B, **NX, soa=False), dns("", t=-25, **NX, soa=True),
         *asked()],
        "inconclusive", "dns_nxdomain_bare", 80, [],
    ),
    "nxdomain-bare-habit": (
        [dns("", **NX, soa=False, server=OTHER[6]), dns("", client=B, **NX, soa=False, server=OTHER[6]),
         *asked(server=OTHER[6]), dns("typo.example", t=-90, server=OTHER[6], **PLAIN, **NX, soa=False)],
        "inconclusive", "dns_nxdomain", 60, ["clients"],
    ),
    "nxdomain-bare-whole-for-another": (
        [*(dns("", client=c, **NX, soa=False) for c in (A, B)), dns("", client=C, t=-25, **NX, soa=True),
         *asked()],
        "inconclusive", "dns_nxdomain_bare", 80, [],
    ),
    "nxdomain-bare-authoritative": (
        [dns("", client=c, **NX, soa=False, aa=True, server=OTHER[6]) for c in (A, B)],
        "blocked", "dns_nxdomain_bare", 98, ["clients"],
    ),
    "nodata-bare-two": (
        [dns("", soa=False), dns("", client=B, soa=False), *asked()],
        "blocked", "dns_nodata_bare", 98, ["clients"],
    ),
    "nodata-bare-alias": (
        [dns("", answers=["cdn.example"], soa=False), dns("", client=B, answers=["cdn.example"], soa=False)],
        "inconclusive", "dns_nodata", 60, ["clients"],
    ),
    "unanswered": (
        [dns("", client=c, rcode=None, ra=None, answered=False) for c in (A, B)],
        "inconclusive", "dns_silence", 30, [],
    ),
    "port-closed": (
        [tls("", client=c, **SYN, state="REJ", packets_down=1) for c in (A, B)],
        "inconclusive", "syn_reset", 30, [],
    ),
    "host-down": (
        [tls("", client=c, **SYN, state="S0", packets_up=4, packets_down=0) for c in (A, B)],
        "inconclusive", "syn_silence", 30, [],
    ),
    "one-lost-syn": (
        [tls("", client=A, **SYN, state="S0", packets_up=2, packets_down=0)], "inconclusive", "", 0, []
    ),
    "delivered": ([dns("", REAL), tls("")], "allowed", "", 97, []),
    "delivered-in-rows": (
        [tls("", flow_id=77_001, acked_down=4_000),
         tls("", flow_id=77_001, t=60, first=0.2, acked_down=4_000, hello=0)],
        "allowed", "", 97, [],
    ),
    "delivered-unseen-hello": (
        [tls("", hello=1, lost=1_400, reset_by="server", reset_ttl_delta=9)], "allowed", "", 97, []
    ),
    "delivered-small": ([tls("", acked_down=3_000, payload_up=900)], "allowed", "", 92, []),
    "delivered-small-12": (
        [tls("", acked_down=1_200, payload_up=450, tls_version="1.2")], "allowed", "", 92, []
    ),
    "handshake-only": ([tls("", acked_down=3_000, payload_up=580)], "inconclusive", "", 0, []),
    "delivered-quic": ([tls("", **QUIC, acked_down=0)], "allowed", "", 95, []),
    "delivered-http": ([http("", 200)], "allowed", "", 95, []),
    "http-to-https": ([http("", 301, http_location="www.http-to-https.example")], "allowed", "", 95, []),
    "http-elsewhere": ([http("", 302, http_location="portal.example.net")], "inconclusive", "", 0, []),
    "http-missing": ([http("", 404)], "allowed", "", 95, []),
    "http-no-server": ([http("", 503)], "inconclusive", "", 0, []),
    "http-forbidden": ([http("", 403)], "allowed", "", 95, []),
    "delivered-by-address": ([tls("", name_source="dns", hello=0, application="")], "allowed", "", 75, []),
    "delivered-by-proxy": ([http("", 200, **TUNNEL)], "allowed", "", 97, []),
    "handshake-by-proxy": (
        [http("", 200, **TUNNEL, acked_down=3_000, payload_up=580)], "inconclusive", "", 0, []
    ),
    "reset-by-proxy": ([http("", 200, **{**TUNNEL, **RESET})], "inconclusive", "reset", 40, []),
    "tunnel": ([http("", 200, http_method="CONNECT")], "allowed", "", 95, []),
    "tunnel-opened": ([http("", 200, http_method="CONNECT", acked_down=39)], "inconclusive", "", 0, []),
    "tunnel-reset": (
        [http("", 0, http_method="CONNECT", **UNANSWERED, reset_by="server")], "inconclusive", "reset", 40, []
    ),
    "tunnel-to-dead-server": (
        [http("", 200, PROXY, **{**TUNNEL, **RESET}), http("", 200, PROXY, client=B, **{**TUNNEL, **RESET}),
         *around(PROXY, **CONNECT, http_status=200)],
        "inconclusive", "reset", 40, [],
    ),
    "refused-by-proxy": (
        [http("", 403, PROXY, **CONNECT), *around(PROXY, **CONNECT, http_status=200)],
        "blocked", "proxy_refused", 98, ["server"],
    ),
    "refused-by-proxy-always": ([http("", 403, **CONNECT)], "inconclusive", "proxy_refused", 80, []),
    "proxy-asks-who": ([http("", 407, PROXY, **CONNECT)], "inconclusive", "", 0, []),
    "proxy-has-no-server": ([http("", 502, PROXY, **CONNECT)], "inconclusive", "", 0, []),
    "certificate-of-the-page": ([tls("", certificate="Block.example")], "blocked", "tls_block_page", 90, []),
    "partial": ([dns("", "10.10.0.80"), tls("", t=5)], "partial", "dns_sinkhole", 95, []),
    "reset-then-delivered": ([tls("", **RESET), tls("", t=1)], "allowed", "reset", 97, []),
    "sunk-and-torn": (
        [dns("", "10.10.0.80"), tls("", t=2, hello=1, acked_down=5_000, lost=1_400)],
        "inconclusive", "dns_sinkhole", 95, [],
    ),
    "other-resolver-answers": (
        [dns("", "10.10.0.80"), dns("", REAL, t=2)], "inconclusive", "dns_sinkhole", 95, []
    ),
}  # fmt: skip


def name_of(case: str, given: str) -> str:
    return given or f"{case}.example"


def record(scribe: Scribe, case: str, **unseen: None) -> None:
    for kind, seconds, client, *rest in CASES[case][0]:
        if kind == "dns":
            name, addresses, values = rest
            scribe.dns(seconds, client, name_of(case, name), *addresses, **values)
        else:
            server, name, values = rest
            # Each case has a server of its own, or they would corroborate each other.
            server = f"203.0.113.{100 + list(CASES).index(case)}" if server == REAL else server
            scribe.named(seconds, client, server, name_of(case, name), **{**values, **unseen})


def verdicts(scribe: Scribe, **sections: Any) -> Verdicts:
    return Verdicts(scribe.store, Facts.of(make_policy(**sections)))


def rebuild(scribe: Scribe, seconds: float = 300, **sections: Any) -> list[dict[str, Any]]:
    scribe.write()
    verdicts(scribe, **sections).rebuild(at(-60), at(seconds))
    return scribe.attempts()


@pytest.fixture(scope="module")
def judged(chdb):
    """Attempts of all cases, judged together, by client and name."""
    scribe = Scribe(chdb)
    scribe.watched()
    for case in CASES:
        record(scribe, case)
    return {(row["client"], row["name"]): row for row in rebuild(scribe)}


@pytest.mark.parametrize("case", CASES)
def test_verdict_of_the_evidence(judged, case):
    """Each case of the table has its verdict, mechanism, confidence and corroborators."""
    _, verdict, mechanism, confidence, corroborators = CASES[case]
    row = judged[A, name_of(case, "")]
    assert (row["verdict"], row["mechanism"], row["confidence"], row["corroborators"]) == (
        verdict, mechanism, confidence, corroborators,
    )  # fmt: skip


def test_every_mechanism_of_the_method_is_judged(judged):
    """No row of the points table is without a case."""
    # Those of the page's size need a policy that declares it; their tests are below.
    assert {row["mechanism"] for row in judged.values()} - {""} == {
        row["mechanism"] for row in method()["evidence"]
    } - {"http_denied", "tls_page"}


def test_attempt_counts_its_paths(judged):
    """An attempt says how many questions and flows it is made of, what it carried, and shows records."""
    row = judged[A, "partial.example"]
    assert (row["dns"], row["tcp"], row["quic"], row["bytes_down"]) == (1, 1, 0, 52_000)
    assert row["evidence"] == ["dns_sinkhole", "delivered"]
    assert len(row["samples"]) == 2
    assert (row["group"], row["action"], row["categories"]) == ("students", "prohibit", ["social_media"])


def test_inspection_raises_the_bound_of_delivery(scribe):
    """Where the filter inspects TLS, a completed handshake and a small answer decide nothing."""
    scribe.named(0, A, REAL, "small.example", acked_down=3_000, payload_up=900)
    scribe.named(0, A, REAL, "page.example", acked_down=11_000)
    scribe.named(0, A, REAL, "large.example", acked_down=40_000)
    rows = rebuild(scribe, filter={"methods": ["inspection"], "block_page_bytes": 10_000})
    assert {row["name"]: row["verdict"] for row in rows} == {
        "small.example": "inconclusive", "page.example": "inconclusive", "large.example": "allowed"
    }  # fmt: skip


def test_forbidden_with_the_known_page_is_a_block(scribe):
    """A 403 of the declared page's size is the filter's where a proxy sent it; a larger one is the site's."""
    pages = (("page.example", 9_000, 100), ("far.example", 9_000, 20_000), ("origin.example", 30_000, 100))
    for name, size, rtt in pages:
        for client in (A, B):
            scribe.named(0, client, REAL, name, **HTTP, http_status=403, payload_down=size, rtt_us=rtt)
    rows = rebuild(scribe, filter={"methods": ["redirect"], "block_page_bytes": 8_000})
    assert {row["name"]: (row["verdict"], row["mechanism"]) for row in rows} == {
        "page.example": ("blocked", "http_denied"),
        "far.example": ("inconclusive", "http_denied"),
        "origin.example": ("inconclusive", ""),
    }


@pytest.mark.parametrize(("lost", "verdict"), [(0, "blocked"), (0.009, "blocked"), (0.02, "inconclusive")])
def test_loss_makes_absence_inconclusive(scribe, lost, verdict):
    """Past 1 % of loss silence proves nothing, while an answer still does."""
    record(scribe, "silence-blocked")
    record(scribe, "sinkhole")
    scribe.watched()
    scribe.flow(30, C, REAL, bytes_down=1_000_000, lost=int(lost * 1_000_000))
    rows = {(row["client"], row["name"]): row for row in rebuild(scribe)}
    assert rows[A, "silence-blocked.example"]["verdict"] == verdict
    assert rows[A, "sinkhole.example"]["verdict"] == "blocked"
    assert (rows[A, "sinkhole.example"]["loss"] > 0.01) is (lost > 0.01)


def test_unknown_loss_is_no_zero(scribe):
    """Where no sensor reported, loss is null and silence proves nothing; bytes that were counted still do."""
    for case in ("silence-blocked", "sinkhole", "delivered"):
        record(scribe, case)
    rows = {(row["client"], row["name"]): row for row in rebuild(scribe)}
    assert {name: row["verdict"] for (client, name), row in rows.items() if client == A} == {
        "silence-blocked.example": "inconclusive",
        "sinkhole.example": "blocked",
        "delivered.example": "allowed",
    }
    assert {row["loss"] for row in rows.values()} == {None}


def test_families_of_a_host_are_one_attempt(scribe):
    """A name that is sunk for A and reached by AAAA leaks by IPv6; an interface is one host."""
    scribe.flow(-5, A, REAL, client_mac=0x16_3E_00_00_01)
    scribe.dns(0, A, "both.example", "10.10.0.80")
    scribe.dns(0, A, "both.example", "2001:db8::1", qtype=28)
    scribe.named(1, "fd00::10", "2001:db8::1", "both.example", client_mac=0x16_3E_00_00_01)
    (row,) = rebuild(scribe)
    assert (row["client"], row["verdict"]) == (A, "partial")
    assert (row["blocked_over"], row["delivered_over"]) == (["dns4"], ["tcp6"])


@pytest.mark.parametrize("hosts", [1, 9])
def test_a_router_s_mac_joins_nobody(scribe, hosts):
    """Behind a MAC of many addresses the families stay apart; half a block is inconclusive."""
    for number in range(hosts):
        scribe.flow(-5, f"10.20.1.{number}", REAL, client_mac=0x16_3E_00_00_02)
    scribe.dns(0, A, "both.example", "10.10.0.80")
    scribe.dns(0, A, "both.example", "2001:db8::1", qtype=28)
    scribe.named(1, "fd00::10", "2001:db8::1", "both.example", client_mac=0x16_3E_00_00_02)
    verdicts_seen = {row["client"]: row["verdict"] for row in rebuild(scribe)}
    assert verdicts_seen[A] == "inconclusive"
    assert sorted(verdicts_seen.values()) == ["allowed", "inconclusive"]


def test_the_family_that_loses_the_race_is_no_block(scribe):
    """A SYN that is given up, or reset before a hello, is no evidence."""
    for state in ("S0", "RSTOS0", "REJ"):
        scribe.named(0, A, REAL, "race.example", **{**HELLO, "hello": 0, "name_source": "dns"}, state=state)
    scribe.named(0.1, A, "203.0.113.11", "race.example")
    (row,) = rebuild(scribe)
    assert (row["verdict"], row["evidence"], row["blocked_over"]) == ("allowed", ["delivered"], [])


def test_a_family_without_an_address_is_no_block(scribe):
    """No data for AAAA beside an address for A is no evidence, and no path that was blocked."""
    scribe.dns(0, A, "four.example", REAL)
    scribe.dns(0, A, "four.example", qtype=28)
    scribe.named(1, A, REAL, "four.example")
    (row,) = rebuild(scribe)
    assert (row["verdict"], row["evidence"], row["blocked_over"]) == ("allowed", ["delivered"], [])


def test_outside_of_the_filter_only_its_own_marks_count(scribe):
    """There a reset is the server's, and what a filter in the server's place gets is not delivered."""
    outside: dict[str, Any] = {"tap_side": "wan"}
    for case in ("reset-ttl-server", "reset-data", "nxdomain-bare-two", "sinkhole", "redirect", "delivered"):
        record(scribe, case)
    scribe.watched()
    scribe.write()
    seen = {}
    for methods in (["dns", "reset"], ["inspection"], []):
        scribe.store.command("TRUNCATE TABLE attempts")
        rows = rebuild(scribe, filter=outside | {"methods": methods})
        seen[", ".join(methods)] = {
            row["name"].removesuffix(".example"): row["verdict"] for row in rows if row["client"] == A
        }
    unsure = {"reset-ttl-server", "reset-data", "nxdomain-bare-two"}
    for verdict_of in seen.values():
        assert {verdict_of[case] for case in unsure} == {"inconclusive"}
        assert {verdict_of[case] for case in ("sinkhole", "redirect")} == {"blocked"}
    assert [verdict_of["delivered"] for verdict_of in seen.values()] == [
        "allowed",
        "inconclusive",
        "inconclusive",
    ]


@pytest.mark.parametrize(
    ("issuer", "acked", "verdict"),
    [
        ("Filter CA", 6_000, "inconclusive"),
        ("FILTER CA", 6_000, "inconclusive"),
        ("Filter CA", 40_000, "allowed"),
        ("Filter CA", 2_000, "inconclusive"),
        ("Public CA", 6_000, "inconclusive"),
    ],
)
def test_page_under_the_filter_s_certificate(scribe, issuer, acked, verdict):
    """A page of the filter's size may be the site's own, which is resigned, too; more is the site."""
    scribe.named(0, A, REAL, "n.example", issuer=issuer, acked_down=acked, payload_down=acked, payload_up=900)
    facts = {"methods": ["inspection"], "block_page_bytes": 8_000, "ca": "CN=Filter CA,O=District"}
    (row,) = rebuild(scribe, filter=facts)
    assert row["verdict"] == verdict
    assert (row["mechanism"] == "tls_page") is (issuer != "Public CA" and acked == 6_000)


def test_who_was_asked_for_the_name(scribe):
    """A resolver of the policy, another one, or none that was seen."""
    scribe.dns(0, A, "own.example", REAL)
    scribe.dns(0, A, "foreign.example", REAL, server=address_bytes("203.0.113.53"))
    scribe.named(0, A, REAL, "hidden.example")
    assert {row["name"]: row["resolver"] for row in rebuild(scribe)} == {
        "own.example": "declared", "foreign.example": "other", "hidden.example": "none"
    }  # fmt: skip


def test_programs_keep_a_rhythm_and_people_do_not(scribe):
    """Six tries in even pauses, or a word of programs, are background; a page and an opened name are not."""
    for number in range(6):
        scribe.dns(60 * number, A, "api.beat.example", "10.10.0.80")
        scribe.dns(60 * number + (number % 3) * 12, B, "api.beat.example", "10.10.0.80")
    scribe.dns(0, A, "mqtt-edge.service.example", "10.10.0.80")
    scribe.dns(0, A, "www.opened.example", "10.10.0.80")
    scribe.dns(0, A, "opened.example", "10.10.0.80")
    scribe.named(0, A, REAL, "cdn.page.example")
    rows = rebuild(scribe, seconds=400)
    last = {(row["client"], row["name"]): row["initiated"] for row in rows}
    assert last == {
        (A, "api.beat.example"): "background", (B, "api.beat.example"): "unknown",
        (A, "mqtt-edge.service.example"): "background", (A, "www.opened.example"): "user",
        (A, "opened.example"): "user", (A, "cdn.page.example"): "user",
    }  # fmt: skip


def drawn(draw: random.Random, names: int, seconds: float) -> list[tuple[Any, ...]]:
    """Records of any case of the table, at any time, under a few names and of three hosts."""
    rows = []
    for case in draw.choices(list(CASES), k=60):
        shift, name = draw.uniform(0, seconds), f"n{draw.randrange(names)}.example"
        for kind, t, client, *rest in CASES[case][0]:
            if kind == "dns":
                rows.append((kind, t + shift, client, rest[0] or name, *rest[1:]))
            else:
                rows.append((kind, t + shift, client, rest[0], rest[1] or name, rest[2]))
    return rows


def put(scribe: Scribe, rows: list[tuple[Any, ...]]) -> None:
    for kind, t, client, *rest in rows:
        if kind == "dns":
            scribe.dns(t, client, rest[0], *rest[1], **rest[2])
        else:
            # The same flow whatever batch it comes in.
            number = zlib.crc32(repr((t, client, *rest)).encode())
            scribe.named(t, client, *rest[:2], **{"flow_id": number, **rest[2]})
    scribe.write()


@pytest.mark.parametrize("seed", range(2))
def test_attempts_do_not_depend_on_the_order_of_rows(scribe, seed):
    """All rows at once, or shuffled over batches with a round after each, give the same attempts."""
    draw = random.Random(seed)
    rows = drawn(draw, 8, 300)
    scribe.watched(300)
    put(scribe, rows)
    whole = verdicts(scribe)
    whole.rebuild(at(-100), at(400))
    expected = scribe.attempts()
    assert len({row["verdict"] for row in expected}) >= 3
    for table in ("flows", "dns", "attempts"):
        scribe.store.command(f"TRUNCATE TABLE {table}")
    draw.shuffle(rows)
    for start in range(0, len(rows), len(rows) // 3 + 1):
        part = rows[start : start + len(rows) // 3 + 1]
        put(scribe, part)
        whole.rebuild(at(min(row[1] for row in part)), at(max(row[1] for row in part)))
    scribe.watched(300)
    scribe.write()
    whole.rebuild(at(0), at(300))
    changing = dict.fromkeys(("updated",))
    assert [row | changing for row in scribe.attempts()] == [row | changing for row in expected]


@pytest.mark.parametrize("seed", range(2))
def test_loss_never_makes_a_block(scribe, seed):
    """With more loss, or an unknown one, a verdict may become weaker, and none becomes blocked."""
    scribe.watched(300)
    put(scribe, drawn(random.Random(seed), 30, 300))
    key = ("client", "name", "window_start")
    known = {tuple(row[k] for k in key): row["verdict"] for row in rebuild(scribe)}
    assert "blocked" in known.values()
    scribe.flow(100, C, REAL, bytes_down=100_000, lost=100_000)
    lossy = {tuple(row[k] for k in key): row["verdict"] for row in rebuild(scribe)}
    scribe.store.command("TRUNCATE TABLE health")
    scribe.store.command("ALTER TABLE flows DELETE WHERE lost = 100000 SETTINGS mutations_sync = 2")
    unknown = {tuple(row[k] for k in key): row["verdict"] for row in rebuild(scribe)}
    order = {
        "blocked": {"blocked", "inconclusive"},
        "partial": {"partial", "allowed", "inconclusive"},
        "allowed": {"allowed", "inconclusive"},
        "inconclusive": {"inconclusive"},
    }
    for worse in (lossy, unknown):
        assert worse.keys() == known.keys()
        assert all(worse[attempt] in order[verdict] for attempt, verdict in known.items())
        assert worse != known


def test_unseen_answers_never_make_a_block(scribe):
    """Without what a lost SYN-ACK would have told (TTLs, round trips), no verdict becomes blocked."""
    scribe.watched()
    for case in CASES:
        record(scribe, case, **dict.fromkeys(UNSEEN))
    verdict = {(row["client"], row["name"]): row["verdict"] for row in rebuild(scribe)}
    blocked = {case for case in CASES if verdict[A, name_of(case, "")] == "blocked"}
    meant = {case for case, (_, verdict, *_) in CASES.items() if verdict == "blocked"}
    assert blocked < meant


def test_unlisted_names_are_kept_only_where_plainly_stopped(scribe):
    """A name on no list becomes an attempt, with its flows, only where an answer shows the filter."""
    plain = {"categories": [], "action": "allow"}
    scribe.dns(0, A, "over.example", "10.10.0.80", **plain)
    scribe.named(1, A, REAL, "over.example", **plain)
    scribe.dns(0, A, "typo.example", rcode=3, **plain)
    scribe.dns(0, A, "usual.example", REAL, **plain)
    scribe.named(0, A, REAL, "usual.example", **plain)
    scribe.named(0, A, REAL, "stopped.example", **plain, **HTTP, http_status=511)
    scribe.dns(0, A, "stopped.example", REAL, **plain)
    rows = {row["name"]: row for row in rebuild(scribe)}
    assert rows.keys() == {"over.example", "stopped.example"}
    assert (rows["over.example"]["verdict"], rows["over.example"]["tcp"]) == ("partial", 1)
    assert rows["stopped.example"]["dns"] == 1


def test_block_page_itself_is_no_attempt(scribe):
    """Whoever is sent to the block page attempted the name, not the page."""
    scribe.dns(0, A, "block.example", "10.10.0.80", categories=[], action="allow")
    scribe.named(0.1, A, "10.10.0.80", "block.example", categories=[], action="allow", **HTTP)
    scribe.dns(0, A, "over.example", "10.10.0.80")
    assert [row["name"] for row in rebuild(scribe)] == ["over.example"]


@pytest.mark.parametrize(("gap", "attempts"), [(29, 1), (30, 1), (31, 2)])
def test_thirty_seconds_of_silence_end_an_attempt(scribe, gap, attempts):
    """Wherever they fall on the clock, records up to 30 s apart are one attempt."""
    scribe.dns(100, A, "n.example", REAL)
    scribe.named(100 + gap, A, REAL, "n.example")
    assert len(rebuild(scribe)) == attempts


def test_widget_is_marked_embedded(scribe):
    """Few bytes of social media without a question of their own are a widget; a page is not."""
    scribe.named(0, A, REAL, "widget.example", acked_down=9_000, bytes_down=9_000)
    scribe.dns(0, A, "asked.example", REAL)
    scribe.named(0, A, REAL, "asked.example", acked_down=9_000, bytes_down=9_000)
    scribe.named(0, A, REAL, "page.example")
    few = {"acked_down": 9_000, "bytes_down": 9_000}
    scribe.named(0, A, REAL, "video.example", **few, categories=["streaming_video"])
    assert [row["name"] for row in rebuild(scribe) if row["embedded"]] == ["widget.example"]


def test_late_row_joins_two_attempts_and_removes_one(scribe):
    """A row that comes late and closes a gap leaves one attempt, not three."""
    scribe.dns(0, A, "n.example", REAL)
    scribe.dns(50, A, "n.example", REAL)
    assert len(rebuild(scribe)) == 2
    scribe.dns(25, A, "n.example", REAL)
    scribe.write()
    assert verdicts(scribe).rebuild(at(25), at(25)).changed == 2
    (row,) = scribe.attempts()
    assert row["dns"] == 3


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_attempts_do_not_depend_on_the_ranges_of_rounds(scribe):
    """One round over an hour, and many rounds over random pieces in order, write the same attempts."""
    draw = random.Random(5)
    for client in (A, B):
        # Never a pause of 30 s: cut at multiples of a slot.
        t = 0.0
        while t < 1_500:
            scribe.dns(t, client, "poller.example", REAL)
            t += draw.uniform(1, 29)
        for _ in range(200):
            t = draw.uniform(0, 1_500)
            name = f"n{draw.randrange(12)}.example"
            if draw.random() < 0.5:
                scribe.dns(t, client, name, draw.choice(["10.10.0.80", REAL]))
            else:
                scribe.named(t, client, REAL, name, **draw.choice([{}, RESET, SILENCE]))
    scribe.write()
    whole = verdicts(scribe)
    whole.rebuild(at(0), at(1_500))
    expected = scribe.attempts()
    assert whole.rebuild(at(0), at(1_500)).changed == 0
    assert whole.rebuild(at(700), at(730)).changed == 0
    assert max(len(row["samples"]) for row in expected) == 10
    assert sum(row["dns"] + row["tcp"] for row in expected if row["name"] == "poller.example") > 150
    assert len([row for row in expected if row["name"] == "poller.example"]) > 20
    scribe.store.command("TRUNCATE TABLE attempts")
    t = -30.0
    while t < 1_500:
        step = draw.uniform(20, 200)
        whole.rebuild(at(t), at(t + step))
        t += step
    assert [{**row, "updated": None} for row in scribe.attempts()] == [
        {**row, "updated": None} for row in expected
    ]


def test_a_range_over_the_turn_of_an_hour_is_one_piece():
    """Neighbouring hours are judged together up to an hour's length; hours without rows are left out."""

    def of(*minutes):
        return datetime(2026, 3, 4, 8, tzinfo=UTC) + timedelta(minutes=sum(minutes))

    hours = [of(60 * hour) for hour in range(5)]
    assert pieces(hours, of(42), of(67)) == [(of(42), of(67))]
    assert pieces(hours, of(0), of(60)) == [(of(0), of(60))]
    assert pieces(hours, of(42), of(110)) == [(of(42), of(60)), (of(60), of(110))]
    assert pieces(hours, of(42), of(200)) == [
        (of(42), of(60)),
        (of(60), of(120)),
        (of(120), of(180)),
        (of(180), of(200)),
    ]
    assert pieces([hours[2], hours[0]], of(42), of(200)) == [(of(42), of(60)), (of(120), of(180))]
    assert pieces([], of(42), of(200)) == []


def test_rebuild_is_quiet_about_what_did_not_change(scribe):
    """A second rebuild of the same range writes nothing."""
    for case in ("sinkhole", "delivered", "partial"):
        record(scribe, case)
    scribe.write()
    first = verdicts(scribe).rebuild(at(0), at(10))
    assert first.changed == 3
    assert first.since <= at(0) - timedelta(minutes=3)
    assert verdicts(scribe).rebuild(at(0), at(10)).changed == 0


def test_unknown_bound_is_refused():
    """An override that names no bound says which there are."""
    with pytest.raises(ValueError, match=r"thresholds\.verdict: unknown parameter 'gaps'; it has gap_s"):
        Verdicts(None, Facts(), {"gaps": 1})
