"""What other programs say of the captures, read from their expected results (the captures' README).

A `Claim` is one statement: its kind, whom it is about, and the name. tshark's are those wanted of the sensor;
nDPI, Zeek, arkime and the JA4 project are second witnesses for what tshark does not name.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.sensed import Ends, address, ends

#: Kinds of names that a flow has at most one of.
FLOW_KINDS = ("sni", "quic_sni", "http")
TRANSPORTS = {"tcp": 6, "udp": 17, "sctp": 132}
#: Where the captures stand that a file's entries name without their folder.
FOLDERS = {
    "ndpi": "ndpi/tests/cfgs/default/pcap/",
    "zeek": "zeek/",
    "suricata": "suricata-verify/",
    "misc": "",
}


NO_MAC = "00:00:00:00:00:00"


class Claim(NamedTuple):
    """One statement about a capture."""

    kind: str
    about: Any
    """Whom: the ends of a flow, the two sides of a question, or a MAC."""
    name: str
    frame: int = 0
    """Frame it was read from; 0 unknown. Not compared."""


#: Control characters, and the surrogates that stand for bytes that are no UTF-8.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\udc80-\udcff]")
ESCAPED = re.compile(rb"\\(\d{3}|[\\.])")


def _octet(escaped: re.Match[bytes]) -> bytes:
    said = escaped[1]
    return bytes([int(said) & 255]) if said.isdigit() else said


def plain(name: str) -> str:
    """A name as it can be compared: lower case, no port, no dot at its end, nothing escaped.

    Records escape what is not printable ASCII (RFC 4343); the others print it, or a mark in its place.
    """
    name = _octet_text(name).strip().lower()
    if name.count(":") == 1 or re.search(r"\]:\d*$", name):
        name = name.rsplit(":", 1)[0]
    return name.rstrip(".")


def _octet_text(name: str) -> str:
    octets = ESCAPED.sub(_octet, name.encode("utf-8", "surrogateescape"))
    # Programs differ in how many marks stand for a run of bytes that are no text.
    return re.sub("\ufffd+", "\ufffd", octets.decode("utf-8", "replace"))


def ssid_text(octets: bytes) -> str:
    """An SSID as sightings write it: UTF-8, control characters and other bytes escaped."""
    text = octets.decode("utf-8", "surrogateescape")
    return CONTROL.sub(
        lambda c: "".join(f"\\{octet:03}" for octet in c[0].encode("utf-8", "surrogateescape")), text
    )


def entries(expected: Path, name: str) -> Iterator[dict[str, Any]]:
    """The objects of one file of expected results; none of a program that was not asked."""
    if not (expected / f"{name}.jsonl").exists():
        return
    with (expected / f"{name}.jsonl").open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def innermost(row: dict[str, Any]) -> Ends | None:
    """The flow a frame belongs to: tshark lists addresses by family, ports by transport, outermost first."""
    layers = row["protos"].split(":")
    network = [layer for layer in layers if layer in ("ip", "ipv6")]
    transport = [layer for layer in layers if layer in TRANSPORTS]
    if not network or not transport or not row["sp"]:
        return None
    six = network[-1] == "ipv6"
    pairs = [(a, b) for a, b in zip(row["src"], row["dst"], strict=False) if (":" in a) == six]
    if not pairs:
        return None
    # Ports of TCP come first, then those of UDP.
    at = layers.count("tcp") - 1 if transport[-1] == "tcp" else -1
    (a, b), a_port, b_port = pairs[-1], int(row["sp"][at]), int(row["dp"][at])
    return ends(TRANSPORTS[transport[-1]], a, a_port, b, b_port)


def is_name(text: str | None) -> bool:
    """True unless tshark says in angle brackets what is wrong with a name; the root is one."""
    return text is not None and (text == "<Root>" or not text.startswith("<"))


def _mac(text: str | None) -> str:
    """A MAC; of no bytes where the link layer has none."""
    return (text or "").split("|")[0].lower() or NO_MAC


def _tshark_claims(row: dict[str, Any]) -> Iterator[Claim]:
    kind, frame = row["kind"], row["frame"]
    flow = innermost(row)
    if kind in ("sni", "quic_sni"):
        yield Claim(kind, flow, plain(row["sni"]), frame)
    elif kind in ("ch_nosni", "quic_initial_nosni"):
        yield Claim(kind, flow, "", frame)
    elif kind == "http" and row["host"]:
        # Several heads in one frame, or one head with several hosts.
        for host in dict.fromkeys(row["host"].split("|")):
            yield Claim("http", flow, plain(host), frame)
    elif kind in ("dns_q", "dns_r") and flow is not None and is_name(row["q"]):
        asker, resolver = flow.low[0], flow.high[0]
        if (address(row["src"][-1]) == asker) == (kind == "dns_r"):
            asker, resolver = resolver, asker
        name = "" if row["q"] == "<Root>" else plain(row["q"])
        yield Claim(kind, (asker, resolver), f"{name} {row['qtype']}", frame)
    elif kind == "dhcp" and row["hostname"]:
        yield Claim("dhcp", _mac(row["mac"]), row["hostname"], frame)
    elif kind == "dhcpv6" and row.get("fqdn"):
        yield Claim("dhcpv6", row["src"][-1], plain(row["fqdn"]), frame)
    elif kind == "arp" and row["spa"] not in (None, "0.0.0.0"):
        yield Claim("arp", _mac(row["sha"]), row["spa"], frame)
    elif kind in ("lldp", "cdp"):
        # Of frames in frames the innermost speaks.
        sender = _mac((row["eth_src"] or "").split("|")[-1])
        yield Claim(kind, _mac(row.get("chassis")) if sender == NO_MAC else sender, row["name"] or "", frame)
    elif kind == "ssdp":
        yield Claim("ssdp", row["src"][-1], "", frame)
    elif kind in ("beacon", "probe_resp"):
        yield Claim("beacon", _mac(row["bssid"]), _ssid(row), frame)
    elif kind in ("probe_req", "assoc_req", "reassoc_req"):
        yield Claim("probe", _mac(row["sa"]), _ssid(row), frame)
    elif "sa" in row and row["protos"].endswith(":arp"):
        yield Claim("arp_in_air", _mac(row["sa"]), "", frame)


def _ssid(row: dict[str, Any]) -> str:
    stated = (row["ssid"] or "").split("|")[0]
    octets = b"" if stated.startswith("<") else bytes.fromhex(stated)
    return ssid_text(octets) if octets.strip(b"\0") else ""


@cache
def tshark(expected: Path) -> dict[str, list[Claim]]:
    """Claims of tshark by capture, in the order of frames, each once."""
    found: dict[str, dict[tuple[Any, ...], Claim]] = defaultdict(dict)
    for row in entries(expected, "tshark_oracle"):
        for claim in _tshark_claims(row):
            found[row["path"]].setdefault(claim[:3], claim)
    return {path: list(claims.values()) for path, claims in found.items()}


@cache
def others(expected: Path) -> dict[str, set[str]]:
    """Names that any of the other programs states, by capture."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in entries(expected, "ndpi"):
        names = [row["hostname"], *(row["server_names"] or "").split(",")]
        found[FOLDERS["ndpi"] + row["pcap"]].update(plain(name) for name in names if name)
    for row in entries(expected, "zeek"):
        for name in ("server_name", "host", "query", "host_name"):
            if row["row"].get(name):
                found[FOLDERS["zeek"] + row["trace"]].add(plain(row["row"][name]))
    for row in entries(expected, "suricata"):
        for name, value in row["match"].items():
            if isinstance(value, str) and name.endswith(("sni", "rrname", "hostname", "url")):
                found[FOLDERS["suricata"] + row["pcap"]].add(plain(value))
    for row in entries(expected, "misc"):
        names = [
            row.get("tls_server_name"),
            *(row.get("http_or_sni_host") or ()),
            *(row.get("dns_host") or ()),
        ]
        found[row["pcap"]].update(plain(name) for name in names if name)
    return found


@cache
def ndpi(expected: Path) -> dict[str, list[dict[str, Any]]]:
    """nDPI's flows by capture."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in entries(expected, "ndpi"):
        found[FOLDERS["ndpi"] + row["pcap"]].append(row)
    return found


@cache
def zeek(expected: Path, path: str) -> dict[str, list[list[dict[str, Any]]]]:
    """Zeek's rows of one log (`conn`, `ssl`, …), by capture: one list for each baseline of it."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in entries(expected, "zeek"):
        if row["path"] == path:
            found[FOLDERS["zeek"] + row["trace"]][row["baseline"]].append(row["row"])
    return {trace: list(baselines.values()) for trace, baselines in found.items()}


@cache
def suricata(expected: Path) -> dict[str, list[dict[str, Any]]]:
    """Suricata's core checks by capture."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in entries(expected, "suricata"):
        if row["core"]:
            found[FOLDERS["suricata"] + row["pcap"]].append(row)
    return found


@cache
def misc(expected: Path) -> dict[str, list[dict[str, Any]]]:
    """What arkime, JA4, ipfixprobe and nfstream say, by capture."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in entries(expected, "misc"):
        found[row["pcap"]].append(row)
    return found
