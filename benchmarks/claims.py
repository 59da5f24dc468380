"""What tshark says of captures of one's own, for `benchmarks.agreement` to compare the sensor with.

    python -m benchmarks.claims FOLDER && REAL_CAPTURES=FOLDER python -m benchmarks.agreement --misses

The captures stand in `FOLDER/pcap`; what tshark states of their frames (names, questions, hosts, speakers) is
written to `FOLDER/expected/tshark_oracle.jsonl`, a line for each statement.
"""

import argparse
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FIELDS = (
    "frame.number", "frame.time_epoch", "frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst",
    "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "tls.handshake.type",
    "tls.handshake.extensions_server_name", "dtls.handshake.type", "dtls.handshake.extensions_server_name",
    "gquic.tag.sni", "dns.flags.response", "dns.qry.name", "dns.qry.type", "http.request.method", "http.host",
    "http2.headers.authority", "dhcp.option.dhcp", "dhcp.hw.mac_addr", "dhcp.option.hostname",
    "dhcpv6.msgtype", "dhcpv6.client_domain", "arp.opcode", "arp.src.hw_mac", "arp.src.proto_ipv4",
    "lldp.tlv.system.name", "lldp.chassis.id.mac", "cdp.deviceid", "eth.src", "wlan.fc.type_subtype",
    "wlan.bssid", "wlan.sa", "wlan.ssid",
)  # fmt: skip
#: Signs that stand between the fields, and between the values of one, in no text that tshark prints.
BETWEEN, AMONG = "\x01", "\x02"
#: Type of a TLS handshake message (RFC 8446, 4).
CLIENT_HELLO = "1"
#: 802.11 management frames by type and subtype (IEEE 802.11-2020, table 9-1).
MANAGEMENT = {0: "assoc_req", 1: "assoc_resp", 2: "reassoc_req", 4: "probe_req", 5: "probe_resp", 8: "beacon"}
#: Seconds for one capture.
PATIENCE_S = 300

Statement = tuple[str, dict[str, Any]]


def frames(capture: Path) -> Iterator[dict[str, list[str]]]:
    """The values of each field, frame by frame. Raises subprocess.TimeoutExpired past `PATIENCE_S`."""
    command = ["tshark", "-n", "-r", str(capture), "-T", "fields", "-E", f"separator={BETWEEN}"]
    command += ["-o", "tcp.reassemble_out_of_order:TRUE"]
    command += ["-E", f"aggregator={AMONG}", *(part for name in FIELDS for part in ("-e", name))]
    # A capture that is cut off is told of by the exit code, and read up to there.
    printed = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PATIENCE_S, check=False
    )
    for line in printed.stdout.decode("utf-8", "surrogateescape").split("\n"):
        if line:
            values = (text.split(AMONG) if text else [] for text in line.split(BETWEEN))
            yield dict(zip(FIELDS, values, strict=True))


def statements(frame: dict[str, list[str]]) -> Iterator[Statement]:
    """Kinds and content of what tshark states of a frame.

    Names are those of TCP and UDP: not what ICMP quotes, nor what is said to join a wireless network.
    """
    layers = frame["frame.protocols"][0].split(":") if frame["frame.protocols"] else []
    if {"tcp", "udp"} & set(layers) and not {"icmp", "icmpv6"} & set(layers):
        yield from _names(frame, layers)
    yield from _sightings(frame, layers)


def _names(frame: dict[str, list[str]], layers: list[str]) -> Iterator[Statement]:
    quic = "quic" in layers
    for family in ("tls", "dtls"):
        if family in layers and CLIENT_HELLO in frame[f"{family}.handshake.type"]:
            names = frame[f"{family}.handshake.extensions_server_name"]
            if names:
                yield ("quic_sni" if quic else "sni"), {"sni": names[0]}
            else:
                yield ("quic_initial_nosni" if quic else "ch_nosni"), {}
    for name in frame["gquic.tag.sni"]:
        yield "quic_sni", {"sni": name}
    if "dns" in layers:
        replies = frame["dns.flags.response"]
        for name, number in zip(frame["dns.qry.name"], frame["dns.qry.type"], strict=False):
            yield ("dns_r" if replies[0] in ("1", "True") else "dns_q"), {"q": name, "qtype": number}
    hosts = frame["http.host"] if frame["http.request.method"] and "ssdp" not in layers else []
    for host in hosts or ([] if "tls" in layers else frame["http2.headers.authority"][:1]):
        yield "http", {"host": host}


def _sightings(frame: dict[str, list[str]], layers: list[str]) -> Iterator[Statement]:
    def first(name: str) -> str | None:
        return frame[name][0] if frame[name] else None

    if frame["dhcp.option.dhcp"]:
        yield "dhcp", {"mac": first("dhcp.hw.mac_addr"), "hostname": first("dhcp.option.hostname")}
    if frame["dhcpv6.msgtype"]:
        yield "dhcpv6", {"fqdn": first("dhcpv6.client_domain")}
    if frame["arp.opcode"]:
        yield "arp", {"sha": first("arp.src.hw_mac"), "spa": first("arp.src.proto_ipv4")}
    if "lldp" in layers:
        chassis = first("lldp.chassis.id.mac")
        yield "lldp", {"name": first("lldp.tlv.system.name"), "chassis": chassis, "eth_src": first("eth.src")}
    if "cdp" in layers:
        yield "cdp", {"name": first("cdp.deviceid"), "eth_src": first("eth.src")}
    if "ssdp" in layers:
        yield "ssdp", {}
    kind = MANAGEMENT.get(int(frame["wlan.fc.type_subtype"][0], 0)) if frame["wlan.fc.type_subtype"] else None
    if kind:
        yield kind, {"bssid": first("wlan.bssid"), "sa": first("wlan.sa"), "ssid": first("wlan.ssid")}


def write(folder: Path) -> int:
    """Writes what tshark states of all captures of a folder; gives the number of statements."""
    expected = folder / "expected"
    expected.mkdir(exist_ok=True)
    count = 0
    with (expected / "tshark_oracle.jsonl").open("w", encoding="utf-8") as file:
        for capture in sorted(path for path in (folder / "pcap").rglob("*") if path.is_file()):
            for frame in frames(capture):
                where = {
                    "path": str(capture.relative_to(folder / "pcap")),
                    "frame": int(frame["frame.number"][0]),
                    "protos": "".join(frame["frame.protocols"]),
                    "src": frame["ip.src"] + frame["ipv6.src"],
                    "dst": frame["ip.dst"] + frame["ipv6.dst"],
                    "sp": frame["tcp.srcport"] + frame["udp.srcport"],
                    "dp": frame["tcp.dstport"] + frame["udp.dstport"],
                }
                for kind, content in statements(frame):
                    file.write(json.dumps({**where, "kind": kind, **content}) + "\n")
                    count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    print(f"{write(parser.parse_args().folder):,} statements")


if __name__ == "__main__":
    main()
