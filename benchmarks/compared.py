"""Comparisons of what the sensor says of a capture with what one witness says of it."""

import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import counted, witnesses
from benchmarks.sensed import Ends, Flow, Sensed, ends

APPLICATIONS = Path(__file__).with_name("ndpi_applications.toml")

FOUND, MISSED, LATER, WRONG, SECOND = "found", "missed", "later", "wrong", "second"
UNKNOWN = "unknown"


class Outcome(NamedTuple):
    """One comparison."""

    kind: str
    verdict: str
    """`found`; `missed`; `later`: a flow's second name, a record has one; `wrong`: said by the sensor alone;
    `second`: said by the sensor and another witness than the first; `unknown`: the witness can't read it."""
    what: str = ""
    frame: int = 0


#: Kinds in the order of the table, with the witness and what is counted.
KINDS = {
    "sni": ("tshark", "server names of TLS hellos, by flow"),
    "quic_sni": ("tshark", "server names of QUIC hellos, by flow"),
    "http": ("tshark", "hosts of HTTP requests, by flow"),
    "dns": ("tshark", "DNS questions, by asker, resolver, name and type"),
    "nameless": ("tshark", "TLS and QUIC hellos without a name, by flow"),
    "dhcp": ("tshark", "host names in DHCP, by MAC"),
    "dhcpv6": ("tshark", "host names in DHCPv6"),
    "arp": ("tshark", "MAC and address in ARP"),
    "lldp": ("tshark", "LLDP speakers and their names"),
    "cdp": ("tshark", "CDP speakers and their names"),
    "ssdp": ("tshark", "SSDP speakers"),
    "beacon": ("tshark", "access points and their SSIDs"),
    "probe": ("tshark", "stations and the SSIDs they probe for or join"),
    "frames": ("tshark", "captures with the same number of frames"),
    "flows": ("tshark", "conversations"),
    "packets": ("tshark", "conversations with the same number of packets"),
    "bytes": ("tshark", "conversations with the same number of IP bytes"),
    "retransmits": ("tshark", "TCP connections with the same number of segments sent again"),
    "rtt": ("tshark", "TCP connections with the same round trip of the handshake"),
    "conn_state": ("Zeek", "connections with the same state"),
    "states": ("Zeek", "conversations of which every connection has the same state"),
    "originator": ("Zeek", "connections with the same opener"),
    "zeek_packets": ("Zeek", "connections with the same packets and bytes each way"),
    "missed_bytes": ("Zeek", "TCP connections with the same number of bytes that the mirror lost"),
    "service": ("Zeek", "connections with the same service, of those that both name"),
    "application": ("nDPI", "flows with the same application, of those that both name"),
    "ndpi_packets": ("nDPI", "flows with the same number of packets"),
    "ja4": ("nDPI, JA4", "client fingerprints"),
    "suricata": ("Suricata", "core checks of names, hosts and questions"),
}  # fmt: skip


def names_of(flows: list[Flow]) -> set[str]:
    return {witnesses.plain(name) for flow in flows for _, name in flow.names}


def compare_names(path: str, sensed: Sensed, expected: Path) -> Iterator[Outcome]:
    """Names of hellos and requests, against tshark's of the same flow."""
    claims = [c for c in witnesses.tshark(expected).get(path, ()) if c.kind in witnesses.FLOW_KINDS]
    flows = sensed.by_ends()
    wanted: dict[Any, set[str]] = defaultdict(set)
    for claim in claims:
        before = wanted[claim.about] & names_of(flows.get(claim.about, []))
        wanted[claim.about].add(claim.name)
        verdict = FOUND if claim.name in names_of(flows.get(claim.about, [])) else LATER if before else MISSED
        yield Outcome(claim.kind, verdict, f"{claim.name} {_shown(claim.about)}", claim.frame)
    said = {"sni": "sni", "quic": "quic_sni", "http": "http"}
    others = witnesses.others(expected).get(path, set())
    seen = set()
    for flow in sensed.flows:
        for source, name in sorted((source, witnesses.plain(name)) for source, name in flow.names):
            if name not in wanted[flow.ends] and (flow.ends, source, name) not in seen:
                seen.add((flow.ends, source, name))
                verdict = SECOND if name in others else WRONG
                yield Outcome(said[source], verdict, f"{name} {_shown(flow.ends)}")


def compare_nameless(path: str, sensed: Sensed, expected: Path) -> Iterator[Outcome]:
    """Hellos without a name: the sensor saw the hello and states none."""
    claims = witnesses.tshark(expected).get(path, ())
    named = {claim.about for claim in claims if claim.kind in witnesses.FLOW_KINDS}
    flows = sensed.by_ends()
    for about in dict.fromkeys(c.about for c in claims if c.kind in ("ch_nosni", "quic_initial_nosni")):
        if about in named:
            continue
        mine = flows.get(about, [])
        hello = any(row["hello"] & 1 for flow in mine for row in flow.rows)
        quic = any(claim.kind == "quic_initial_nosni" and claim.about == about for claim in claims)
        if quic and not hello:
            # An initial packet without a hello's beginning: there is nothing to see.
            hello = any(flow.last("application") == "quic" for flow in mine)
        yield Outcome("nameless", FOUND if hello else MISSED, _shown(about))


def compare_dns(path: str, sensed: Sensed, expected: Path) -> Iterator[Outcome]:
    """Questions, against tshark's of the same asker and resolver."""
    claims = [c for c in witnesses.tshark(expected).get(path, ()) if c.kind in ("dns_q", "dns_r")]
    said = {
        (row["client"], row["server"], f"{witnesses.plain(row['qname'])} {row['qtype']}"): row
        for row in sensed.dns
    }
    known = {(*claim.about, claim.name) for claim in claims}
    for claim in claims:
        if claim.kind == "dns_q":
            verdict = FOUND if (*claim.about, claim.name) in said else MISSED
            yield Outcome("dns", verdict, f"{claim.name} {claim.about}", claim.frame)
    others = witnesses.others(expected).get(path, set())
    for (client, server, name), row in said.items():
        if (client, server, name) not in known and row["transport"] in ("udp", "tcp"):
            verdict = SECOND if witnesses.plain(row["qname"]) in others else WRONG
            yield Outcome("dns", verdict, f"{name} {client} {server}")


#: Sources of sightings that make a claim of a kind.
SOURCES = {
    "dhcp": ("dhcp_request",), "dhcpv6": ("dhcpv6",), "arp": ("arp",), "lldp": ("lldp",), "cdp": ("cdp",),
    "ssdp": ("ssdp",), "beacon": ("beacon",), "probe": ("probe",),
}  # fmt: skip


def sighted(kind: str, sighting: dict[str, Any]) -> tuple[str, str]:
    """(whom, name) of a sighting, as tshark's claim of the kind has them."""
    if kind in ("beacon", "probe"):
        return sighting["mac"], sighting["value"]
    if kind == "arp":
        return sighting["mac"], sighting["ip"]
    if kind in ("dhcpv6", "ssdp"):
        return sighting["ip"], witnesses.plain(sighting["name"]) if kind == "dhcpv6" else ""
    return sighting["mac"], sighting["name"]


def named_by_servers(sensed: Sensed) -> list[dict[str, str]]:
    """Attributes of what DHCP servers say to clients whose names they repeat."""
    told = [row["attributes"] for row in sensed.sightings if row["source"] in ("dhcp_offer", "dhcp_ack")]
    return [attributes for attributes in told if {"client_mac", "client_name"} <= attributes.keys()]


def compare_sightings(path: str, sensed: Sensed, expected: Path) -> Iterator[Outcome]:
    """What devices say about themselves."""
    claims = witnesses.tshark(expected).get(path, ())
    for kind, sources in SOURCES.items():
        said = {sighted(kind, row) for row in sensed.sightings if row["source"] in sources}
        if kind == "dhcp":
            # Servers repeat the client's name.
            said |= {(told["client_mac"], told["client_name"]) for told in named_by_servers(sensed)}
        known = set()
        for claim in claims:
            if claim.kind == kind:
                known.add((claim.about, claim.name))
                verdict = FOUND if (claim.about, claim.name) in said else MISSED
                yield Outcome(kind, verdict, f"{claim.name} {claim.about}", claim.frame)
        others = witnesses.others(expected).get(path, set())
        # tshark names the senders of ARP in 802.11 frames, and not their addresses.
        in_air = {claim.about for claim in claims if claim.kind == f"{kind}_in_air"}
        for about, name in sorted(said - known):
            if about in in_air:
                continue
            # Who asks for an address before it has one states none.
            if name not in ("", "::"):
                yield Outcome(kind, SECOND if witnesses.plain(name) in others else WRONG, f"{name} {about}")


def portless(flow: Flow) -> Ends:
    """A flow's ends as tshark's count has them: ports of TCP, UDP and SCTP alone."""
    if flow.ends.protocol in counted.PORTED.values():
        return flow.ends
    return ends(flow.ends.protocol, flow.client[0], 0, flow.server[0], 0)


def compare_counts(path: str, sensed: Sensed, kept: Path, captures: Path) -> Iterator[Outcome]:
    """Frames, flows, packets and bytes, against tshark's."""
    counts = counted.count(counted.dissect(captures / "pcap" / path, kept / f"{path}.tsv.gz"))
    if not counts.frames:
        # No frames, or a link layer that tshark does not know.
        if sensed.health["packets"]:
            yield Outcome("frames", UNKNOWN, f"{sensed.health['packets']} of {counts.frames}")
        return
    same = counts.frames == sensed.health["packets"]
    yield Outcome("frames", FOUND if same else MISSED, f"{sensed.health['packets']} of {counts.frames}")
    mine: dict[Ends, list[int]] = defaultdict(lambda: [0, 0])
    segments: dict[Ends, list[Flow]] = defaultdict(list)
    for flow in sensed.flows:
        if flow.ends.protocol == counted.PORTED["tcp"]:
            segments[flow.ends].append(flow)
        numbers = mine[portless(flow)]
        numbers[0] += flow.total("packets_up") + flow.total("packets_down")
        numbers[1] += flow.total("bytes_up") + flow.total("bytes_down")
    for about, theirs in counts.by_ends.items():
        packets, octets = mine.get(about, (0, 0))
        yield Outcome("flows", FOUND if packets else MISSED, _shown(about))
        if packets:
            same = packets == theirs.packets
            yield Outcome(
                "packets", FOUND if same else MISSED, f"{packets} of {theirs.packets} {_shown(about)}"
            )
            same = octets == theirs.octets
            yield Outcome("bytes", FOUND if same else MISSED, f"{octets} of {theirs.octets} {_shown(about)}")
        flows = segments.get(about, [])
        if len(flows) == 1:
            again = flows[0].total("retransmits_up") + flows[0].total("retransmits_down")
            verdict = FOUND if again == theirs.retransmits else MISSED
            yield Outcome("retransmits", verdict, f"{again} of {theirs.retransmits} {_shown(about)}")
            if theirs.rtt_s and theirs.answered:
                rtt = flows[0].last("rtt_us")
                same = rtt is not None and abs(rtt - theirs.rtt_s * 1e6) <= 1
                what = f"{rtt} of {theirs.rtt_s * 1e6:.0f} µs {_shown(about)}"
                yield Outcome("rtt", FOUND if same else MISSED, what)
    for about in mine:
        if about not in counts.by_ends:
            yield Outcome("flows", WRONG, _shown(about))


#: Our words for Zeek's services; several where one covers more.
SERVICES = {
    "ssl": ("tls", "dtls"), "quic": ("quic",), "http": ("http",), "dns": ("dns", "mdns", "llmnr", "nbns"),
    "ssh": ("ssh",), "smtp": ("smtp",), "pop3": ("pop3",), "imap": ("imap",), "ftp": ("ftp",),
    "dhcp": ("dhcp",), "krb": ("kerberos",), "krb_tcp": ("kerberos",), "smb": ("smb",), "rdp": ("rdp",),
    "sip": ("sip",), "snmp": ("snmp",), "ntp": ("ntp",), "radius": ("radius",), "syslog": ("syslog",),
    "socks": ("socks",), "mysql": ("mysql",), "postgresql": ("postgresql",), "mqtt": ("mqtt",),
    "ldap_tcp": ("ldap",), "ldap_udp": ("ldap",),
}  # fmt: skip
ZEEK_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 0}


def compare_zeek(path: str, sensed: Sensed, expected: Path) -> Iterator[Outcome]:
    """Connections, against Zeek's: of each conversation the same states, openers and counts.

    A connection that carries a tunnel is left out: a record has the innermost addresses.
    """
    for rows in witnesses.zeek(expected, "conn").get(path, ()):
        carriers = {uid for row in rows for uid in (row.get("tunnel_parents") or "").split(",") if uid}
        theirs: dict[Ends, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            if row["uid"] not in carriers:
                theirs[_zeek_ends(row)].append(row)
        mine: dict[Ends, list[Flow]] = defaultdict(list)
        for flow in sensed.flows:
            mine[_zeek_key(flow.ends.protocol, *flow.client, *flow.server)].append(flow)
        for about, connections in theirs.items():
            yield from _compare_connections(about, connections, mine.get(about, []))


def _zeek_field(row: dict[str, Any], name: str) -> str:
    renamed = {"id.orig_h": "src_ip", "id.orig_p": "src_port", "id.resp_h": "dst_ip", "id.resp_p": "dst_port"}
    return row[name] if name in row else row[renamed[name]]


def _zeek_ends(row: dict[str, Any]) -> Ends:
    protocol = int(row.get("ip_proto") or ZEEK_PROTOCOLS.get(row["proto"], 0))
    a, b = _zeek_field(row, "id.orig_h"), _zeek_field(row, "id.resp_h")
    return _zeek_key(protocol, a, int(_zeek_field(row, "id.orig_p")), b, int(_zeek_field(row, "id.resp_p")))


def _zeek_key(protocol: int, a: str, a_port: int, b: str, b_port: int) -> Ends:
    """Ends as Zeek tells connections apart: by the ports of TCP and UDP alone."""
    if protocol not in (ZEEK_PROTOCOLS["tcp"], ZEEK_PROTOCOLS["udp"]):
        a_port = b_port = 0
    return ends(protocol, a, a_port, b, b_port)


def _compare_connections(about: Ends, theirs: list[dict[str, Any]], mine: list[Flow]) -> Iterator[Outcome]:
    where = _shown(about)
    states = Counter(flow.rows[-1]["state"] for flow in mine)
    shown = dict(states)
    alike = True
    for row in theirs:
        state = row["conn_state"]
        verdict = FOUND if states[state] > 0 else MISSED
        alike &= verdict == FOUND
        # Another number of connections comes from other idle times: then each state has to occur.
        states[state] -= len(theirs) == len(mine)
        yield Outcome("conn_state", verdict, f"{state}, not {shown}, {row.get('history')} {where}")
    yield Outcome("states", FOUND if alike else MISSED, where)
    if not mine:
        return
    opener = (_zeek_field(theirs[0], "id.orig_h"), int(_zeek_field(theirs[0], "id.orig_p")))
    if about.protocol in (ZEEK_PROTOCOLS["tcp"], ZEEK_PROTOCOLS["udp"]):
        verdict = FOUND if opener in {flow.client for flow in mine} else MISSED
    else:
        verdict = FOUND if opener[0] in {flow.client[0] for flow in mine} else MISSED
    yield Outcome("originator", verdict, f"{opener[0]} {opener[1]} {where}")
    wanted = [
        sum(int(row[name] or 0) for row in theirs)
        for name in ("orig_pkts", "resp_pkts", "orig_ip_bytes", "resp_ip_bytes")
    ]
    got = [
        sum(flow.total(name) for flow in mine)
        for name in ("packets_up", "packets_down", "bytes_up", "bytes_down")
    ]
    if verdict == MISSED:
        got = [got[1], got[0], got[3], got[2]]
    yield Outcome("zeek_packets", FOUND if wanted == got else MISSED, f"{got} of {wanted} {where}")
    if about.protocol == counted.PORTED["tcp"]:
        missing = sum(int(row.get("missed_bytes") or 0) for row in theirs)
        lost = sum(flow.total("lost") for flow in mine)
        yield Outcome("missed_bytes", FOUND if lost == missing else MISSED, f"{lost} of {missing} {where}")
    words = {
        word
        for row in theirs
        for said in (row.get("service") or "").split(",")
        for word in SERVICES.get(said, ())
    }
    said = {flow.last("application") for flow in mine} - {""}
    if words and said:
        verdict = FOUND if words & said else MISSED
        yield Outcome("service", verdict, f"{sorted(words)}, not {sorted(said)} {where}")


@cache
def applications() -> dict[str, list[str]]:
    """Our words for nDPI's protocols."""
    return tomllib.loads(APPLICATIONS.read_text("utf-8"))


#: What nDPI writes for no extensions: the hash of nothing. The specification has zeros.
EMPTY_HASH = "e3b0c44298fc"


def ndpi_ja4(fingerprint: str) -> str:
    """A fingerprint without what nDPI 4 writes otherwise than JA4's specification.

    It has `d` for every hello, with or without a name, and the first two letters of the ALPN protocol
    instead of its first and last.
    """
    return (fingerprint[:3] + fingerprint[4:8] + fingerprint[10:]).replace(EMPTY_HASH, "0" * 12)


NDPI_PROTOCOLS = {"TCP": 6, "UDP": 17, "ICMP": 1, "ICMPV6": 58, "IGMP": 2, "SCTP": 132}


def compare_ndpi(path: str, sensed: Sensed, expected: Path) -> Iterator[Outcome]:
    """Applications, packets and fingerprints, against nDPI's of the same flow."""
    mine: dict[Ends, list[Flow]] = defaultdict(list)
    for flow in sensed.flows:
        mine[portless(flow)].append(flow)
    theirs: dict[Ends, list[dict[str, Any]]] = defaultdict(list)
    for row in witnesses.ndpi(expected).get(path, ()):
        protocol = NDPI_PROTOCOLS.get(row["l4"]) or (int(row["l4"]) if row["l4"].isdigit() else 0)
        ports = (row["sport"] or 0, row["dport"] or 0) if protocol in counted.PORTED.values() else (0, 0)
        theirs[ends(protocol, row["src"], ports[0], row["dst"], ports[1])].append(row)
    for about, rows in theirs.items():
        flows = mine.get(about, [])
        where = _shown(about)
        for row in rows:
            # What looks like nothing has no name yet.
            said = {flow.last("application") for flow in flows} - {"", "encrypted"}
            words = applications().get(row["proto"].split(".")[0])
            if words and said:
                verdict = FOUND if said & set(words) else MISSED
                yield Outcome("application", verdict, f"{row['proto']}, not {sorted(said)} {where}")
            if row["ja4"]:
                got = {flow.last("ja4") for flow in flows} - {""}
                same = ndpi_ja4(row["ja4"]) in map(ndpi_ja4, got)
                yield Outcome("ja4", FOUND if same else MISSED, f"{row['ja4']}, not {got} {where}")
        packets = sum(row["c2s_pkts"] + row["s2c_pkts"] for row in rows)
        counted_here = sum(flow.total("packets_up") + flow.total("packets_down") for flow in flows)
        same = packets == counted_here
        yield Outcome("ndpi_packets", FOUND if same else MISSED, f"{counted_here} of {packets} {where}")


def compare_misc(path: str, sensed: Sensed, expected: Path) -> Iterator[Outcome]:
    """Fingerprints of the JA4 project."""
    flows = sensed.by_ends()
    for row in witnesses.misc(expected).get(path, ()):
        if row["tool"] == "ja4" and row["ja4"]:
            protocol = counted.PORTED.get(row["transport"], 17)
            about = ends(protocol, row["src"], row["sport"], row["dst"], row["dport"])
            got = {flow.last("ja4") for flow in flows.get(about, [])} - {""}
            yield Outcome(
                "ja4", FOUND if row["ja4"] in got else MISSED, f"{row['ja4']}, not {got} {_shown(about)}"
            )


def compare_suricata(path: str, sensed: Sensed, expected: Path) -> Iterator[Outcome]:
    """Suricata's core checks that name a server, a host or a question."""
    names = names_of(sensed.flows) | {witnesses.plain(row["qname"]) for row in sensed.dns}
    for row in witnesses.suricata(expected).get(path, ()):
        for key in ("tls.sni", "http.hostname", "dns.rrname", "dns.queries[0].rrname", "quic.sni"):
            name = row["match"].get(key)
            if isinstance(name, str) and row["count"]:
                name = witnesses.plain(name)
                yield Outcome("suricata", FOUND if name in names else MISSED, f"{key} {name}")


def _shown(about: Any) -> str:
    if not isinstance(about, Ends):
        return str(about)
    (a, a_port), (b, b_port) = about.low, about.high
    return f"{about.protocol} {a} {a_port} {b} {b_port}"


#: Comparisons, and the kinds each gives.
COMPARISONS: dict[Callable[[str, Sensed, Path], Iterator[Outcome]], tuple[str, ...]] = {
    compare_names: ("sni", "quic_sni", "http"),
    compare_nameless: ("nameless",),
    compare_dns: ("dns",),
    compare_sightings: tuple(SOURCES),
    compare_zeek: ("conn_state", "states", "originator", "zeek_packets", "missed_bytes", "service"),
    compare_ndpi: ("application", "ndpi_packets", "ja4"),
    compare_misc: ("ja4",),
    compare_suricata: ("suricata",),
}
COUNTS = ("frames", "flows", "packets", "bytes", "retransmits", "rtt")
