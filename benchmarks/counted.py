"""Flows, packets and bytes as tshark counts them; what it prints is kept, as it takes minutes for all."""

import gzip
import os
import shutil
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.sensed import Ends, ends

FIELDS = (
    "frame.number", "frame.len", "frame.cap_len", "frame.protocols", "ip.src", "ip.dst", "ip.len", "ip.proto",
    "ip.flags.mf", "ip.frag_offset", "ip.id", "ipv6.src", "ipv6.dst", "ipv6.plen", "ipv6.nxt",
    "ipv6.fraghdr.more", "ipv6.fraghdr.offset", "ipv6.fraghdr.ident", "ipv6.hopopts.nxt", "ipv6.dstopts.nxt",
    "ipv6.routing.nxt", "ipv6.fraghdr.nxt", "tcp.srcport", "tcp.dstport", "tcp.len", "udp.srcport",
    "udp.dstport", "udp.length", "icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code", "sctp.srcport",
    "sctp.dstport", "_ws.malformed", "tcp.flags", "tcp.analysis.retransmission",
    "tcp.analysis.fast_retransmission", "tcp.analysis.spurious_retransmission", "tcp.analysis.out_of_order",
    "tcp.analysis.keep_alive", "tcp.analysis.lost_segment", "tcp.analysis.ack_lost_segment",
    "tcp.analysis.initial_rtt",
)  # fmt: skip
PORTED = {"tcp": 6, "udp": 17, "sctp": 132}
#: Layers that quote the packet which caused them: what follows is no packet of its own.
QUOTING = ("icmp", "icmpv6")
#: Both flags of TCP.
SYN_ACK = 0x12
#: Names of tshark's analysis for a segment that was sent before.
SENT_AGAIN = ("retransmission", "fast_retransmission", "spurious_retransmission")
#: Protocol numbers of IPv6 extension headers (IANA).
EXTENSIONS = (0, 43, 44, 60, 135, 139, 140)
#: Addresses, length and protocol of a packet.
IPV4 = ("ip.src", "ip.dst", "ip.len", "ip.proto")
IPV6 = ("ipv6.src", "ipv6.dst", "ipv6.plen", "ipv6.nxt")
#: Seconds for one capture.
PATIENCE_S = 60


def cache_folder() -> Path:
    """Folder of what tshark said before."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "spanwatch" / "tshark"


@dataclass
class Conversation:
    """What went between two ends, both ways."""

    packets: int = 0
    octets: int = 0
    retransmits: int = 0
    """TCP segments that tshark takes for sent again."""
    rtt_s: float = 0.0
    """Round trip of the handshake, SYN to ACK; 0 unknown."""
    answered: bool = False
    """A SYN-ACK was seen; tshark tells the round trip of a reset, too."""


@dataclass
class Counts:
    """What tshark counts in one capture."""

    frames: int = 0
    by_ends: dict[Ends, Conversation] = field(default_factory=lambda: defaultdict(Conversation))
    malformed: int = 0


def dissect(path: Path, kept: Path) -> Path:
    """tshark's fields of each frame, tab-separated, gzipped at `kept`. Raises OSError without tshark."""
    if not kept.exists():
        tshark = shutil.which("tshark")
        if tshark is None:
            raise OSError("tshark is not installed; apt-get install tshark")
        command = [tshark, "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|"]
        command += [word for name in FIELDS for word in ("-e", name)]
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
        kept.parent.mkdir(parents=True, exist_ok=True)
        written = kept.with_suffix(".part")
        written.write_bytes(gzip.compress(done.stdout))
        written.rename(kept)
    return kept


def count(kept: Path) -> Counts:
    """Counts of one capture from what `dissect` kept.

    A packet belongs to its innermost addresses. A fragment belongs to the datagram that tshark put together;
    fragments of one that never came whole count between their addresses, without ports.
    """
    counts = Counts()
    waiting: dict[tuple[str, ...], list[int]] = defaultdict(list)
    with gzip.open(kept, "rt", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            values = (value.split("|") if value else [] for value in line.rstrip("\n").split("\t"))
            row = dict(zip(FIELDS, values, strict=False))
            if len(row) < len(FIELDS):
                # A line break inside of a text.
                continue
            counts.frames += 1
            counts.malformed += bool(row.get("_ws.malformed"))
            _count_frame(row, counts, waiting)
    for key, lengths in waiting.items():
        whole = counts.by_ends[ends(int(key[2]), key[0], 0, key[1], 0)]
        whole.packets += len(lengths)
        whole.octets += sum(lengths)
    return counts


def _count_frame(
    row: dict[str, list[str]], counts: Counts, waiting: dict[tuple[str, ...], list[int]]
) -> None:
    layers = row["frame.protocols"][0].split(":") if row["frame.protocols"] else []
    four = six = 0
    transport = ""
    last = ""
    for layer in layers:
        if layer in ("ip", "ipv6"):
            last, transport = layer, ""
            four += layer == "ip"
            six += layer == "ipv6"
        elif layer in PORTED or layer in QUOTING:
            transport = layer
            if layer in QUOTING:
                break
    if not last:
        return
    at = (four if last == "ip" else six) - 1
    names = IPV4 if last == "ip" else IPV6
    if any(len(row[name]) <= at for name in names):
        return
    source, target, said, protocol = (row[name][at] for name in names)
    if last == "ip":
        octets, number = int(said), int(protocol)
        more, offset = row["ip.flags.mf"], row["ip.frag_offset"]
        partial = len(offset) > at and (more[at] in ("1", "True") or offset[at] != "0")
        mark = row["ip.id"][at]
    else:
        octets, number = int(said) + 40, int(protocol)
        partial, mark = bool(row["ipv6.fraghdr.offset"]), "".join(row["ipv6.fraghdr.ident"][-1:])
        following = [row[f"ipv6.{name}.nxt"] for name in ("hopopts", "dstopts", "routing", "fraghdr")]
        behind = [int(said) for values in following for said in values if int(said) not in EXTENSIONS]
        number = behind[-1] if behind else number
    if transport in PORTED:
        number = PORTED[transport]
        sources, targets = row[f"{transport}.srcport"], row[f"{transport}.dstport"]
        if not sources:
            return
        key = ends(number, source, int(sources[-1]), target, int(targets[-1]))
    else:
        if transport in QUOTING:
            number = 1 if transport == "icmp" else 58
        key = ends(number, source, 0, target, 0)
    where = (source, target, str(number), mark)
    if partial and not transport:
        waiting[where].append(octets)
        return
    conversation = counts.by_ends[key]
    if partial:
        fragments = waiting.pop(where, [])
        conversation.packets += len(fragments)
        conversation.octets += sum(fragments)
    conversation.packets += 1
    conversation.octets += octets
    if transport == "tcp":
        conversation.retransmits += any(row[f"tcp.analysis.{name}"] for name in SENT_AGAIN)
        conversation.answered |= int("".join(row["tcp.flags"][-1:]) or "0", 16) & SYN_ACK == SYN_ACK
        conversation.rtt_s = conversation.rtt_s or float("".join(row["tcp.analysis.initial_rtt"][:1]) or 0)
