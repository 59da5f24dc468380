"""The records that leave a sensor: the one contract that sensor, worker, store and API share.

Times are UTC microseconds from the packets. Addresses are 16 bytes in network order, IPv4
mapped (`::ffff:a.b.c.d`). MACs are integers. Names are lower case, without the trailing dot;
bytes that are not printable ASCII are written `\\DDD` (RFC 4343, section 2.1). Counters are wire
bytes of the IP packet. Null means "not known", never zero.
"""

import base64
import hashlib
import ipaddress
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa

#: Version of the schemas below; a header of every message on the stream.
SCHEMA_VERSION = 4

TIME = pa.timestamp("us", "UTC")
ADDRESS = pa.binary(16)
MAC = pa.uint64()
KIND = pa.dictionary(pa.uint8(), pa.string())
TEXT = pa.string()
TEXTS = pa.list_(pa.string())
ADDRESSES = pa.list_(pa.binary(16))
ATTRIBUTES = pa.map_(pa.string(), pa.string())

# Closed sets of words. A kernel writes the index, the batch carries the word.
TUNNELS = (
    "", "gre", "nvgre", "erspan", "vxlan", "geneve", "mpls", "pppoe", "ipip", "6in4", "teredo", "gtp",
    "pptp", "l2tp", "etherip", "eoip", "ayiya", "capwap", "lisp", "tzsp", "pbb", "trill", "macsec",
)  # fmt: skip
#: Zeek's `conn_state` (docs.zeek.org, base/protocols/conn).
STATES = (
    "OTH", "S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR",
)  # fmt: skip
ENDED = ("active", "idle", "closed", "evicted", "shutdown")
APPLICATIONS = (
    "", "tls", "quic", "http", "dns", "ssh", "smtp", "imap", "pop3", "ftp", "smb", "rdp", "ldap",
    "mysql", "postgresql", "ntp", "snmp", "sip", "stun", "rtp", "bittorrent", "wireguard", "openvpn",
    "ipsec", "pptp", "l2tp", "tor", "socks", "kerberos", "dhcp", "dhcpv6", "mdns", "llmnr", "nbns",
    "ssdp", "mqtt", "tftp", "syslog", "icmp", "icmp6", "dtls", "telnet", "radius",
    # IP protocols
    "igmp", "gre", "ospf", "pim", "vrrp", "sctp",
    # media, messages, calls
    "rtsp", "rtmp", "xmpp", "irc", "nntp", "mgcp", "skinny", "iax", "mumble", "discord", "zoom", "whatsapp",
    "telegram", "spotify",
    # remote control, files, databases
    "vnc", "x11", "teamviewer", "radmin", "dcerpc", "nfs", "afp", "rsync", "git", "dropbox", "mssql",
    "oracle", "mongodb", "redis", "memcached", "amqp",
    # games, file sharing, mining
    "steam", "minecraft", "raknet", "gnutella", "edonkey", "bitcoin", "ethereum", "stratum",
    # ways around a filter
    "dnscrypt", "softether", "tinc",
    # devices, printers, buildings, the network itself
    "coap", "bacnet", "modbus", "dnp3", "s7comm", "ethernetip", "opcua", "wsd", "natpmp", "ipmi", "bjnp",
    "jetdirect", "netflow", "zabbix", "capwap", "hsrp", "bgp",
    # both sides' first bytes look random, and nobody knows them
    "encrypted",
)  # fmt: skip
NAME_SOURCES = ("none", "sni", "quic", "http", "dns")
TLS_VERSIONS = ("", "ssl3", "1.0", "1.1", "1.2", "1.3", "ssl2")
ECH = ("none", "grease_or_real")
#: RFC 9110, 9.3; RFC 5789; then WebDAV (RFC 4918, 3253, 5323, 4791, 3744, 5842), UPnP, what Microsoft adds.
#: A request with any other method is one of the method `other`.
HTTP_METHODS = (
    "", "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH", "TRACE",
    "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "MERGE",
    "CHECKOUT", "CHECKIN", "MKACTIVITY", "MKCALENDAR", "ACL", "BIND", "UNBIND", "REBIND", "VERSION-CONTROL",
    "LABEL", "NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE", "M-SEARCH", "PURGE", "LINK", "UNLINK", "QUERY",
    "RPC_CONNECT", "RPC_IN_DATA", "RPC_OUT_DATA", "SSTP_DUPLEX_POST", "POLL", "BPROPFIND", "BPROPPATCH",
    "BCOPY", "BMOVE", "BDELETE", "other",
)  # fmt: skip
RESET_BY = ("none", "client", "server")
DNS_TRANSPORTS = ("udp", "tcp", "mdns", "llmnr", "nbns")
SIGHTING_SOURCES = (
    "arp", "ndp", "dhcp_request", "dhcp_offer", "dhcp_ack", "dhcpv6", "ra", "lldp", "cdp", "stp",
    "ssdp", "mdns", "nbns", "beacon", "probe", "radius", "kerberos",
)  # fmt: skip
HEALTH_EVENTS = ("start", "tick", "gap", "stop")

#: Bits of `flows.hello`.
HELLO_CLIENT, HELLO_SERVER, HELLO_ALERT, HELLO_CERTIFICATE = 1, 2, 4, 8


class Field(NamedTuple):
    """One column of a record."""

    name: str
    type: pa.DataType
    note: str
    """Meaning, unit and source."""
    nullable: bool = False
    """Null where the sensor does not know."""
    words: tuple[str, ...] = ()
    """The closed set of a `KIND` column, if it is closed."""
    since: int = 1
    """Version of the schema that brought it; older batches get null, else empty text and 0."""


def _directions(name: str, type_: pa.DataType, note: str, nullable: bool = False) -> list[Field]:
    return [
        Field(f"{name}_up", type_, f"{note}, from the client", nullable),
        Field(f"{name}_down", type_, f"{note}, towards the client", nullable),
    ]


RECORDS: dict[str, list[Field]] = {
    "flows": [
        Field("sensor", KIND, "name of the sensor"),
        Field("vlan", pa.uint16(), "802.1Q VLAN id, 0 untagged"),
        Field("tunnel", KIND, "innermost tunnel around the packets; empty none", words=TUNNELS),
        Field("flow_id", pa.uint64(), "same for all rows of one flow of one sensor boot"),
        Field("start", TIME, "first packet of this row"),
        Field("end", TIME, "last packet of this row"),
        Field("first", TIME, "first packet of the flow"),
        Field("client", ADDRESS, "the side that opened the connection"),
        Field("server", ADDRESS, "the other side"),
        Field("client_port", pa.uint16(), "TCP or UDP port; ICMP type"),
        Field("server_port", pa.uint16(), "TCP or UDP port; ICMP code"),
        Field("protocol", pa.uint8(), "IP protocol number (IANA)"),
        Field("client_mac", MAC, "link address seen on the client's frames"),
        Field("server_mac", MAC, "link address seen on the server's frames, 0 before any"),
        *_directions("bytes", pa.uint64(), "wire bytes of the IP packets since the flow's last row"),
        *_directions("packets", pa.uint32(), "packets since the flow's last row"),
        *_directions("payload", pa.uint64(), "transport payload bytes since the flow's last row"),
        Field("state", KIND, "Zeek's conn_state of the flow so far", words=STATES),
        *_directions("flags", pa.uint8(), "TCP flags seen in this row, or-ed"),
        Field("rtt_us", pa.uint32(), "handshake round trip at the sensor, SYN to the ACK, µs", True),
        *_directions("retransmits", pa.uint32(), "TCP segments sent again since the flow's last row"),
        Field("ttl_up_min", pa.uint8(), "TTL or hop limit from the client, least", True),
        Field("ttl_up_max", pa.uint8(), "TTL or hop limit from the client, greatest", True),
        Field("ttl_down_min", pa.uint8(), "TTL or hop limit from the server, least", True),
        Field("ttl_down_max", pa.uint8(), "TTL or hop limit from the server, greatest", True),
        Field("ended", KIND, "why this row was written", words=ENDED),
        Field("application", KIND, "by content first, port last; empty unknown", words=APPLICATIONS),
        Field("server_name", TEXT, "name the client asked for; empty none"),
        Field(
            "name_source", KIND,
            "where server_name comes from; http: Host, authority, or what CONNECT or SOCKS asks a proxy for",
            words=NAME_SOURCES,
        ),
        Field("alpn", TEXT, "first protocol the client offered (RFC 7301)"),
        Field("tls_version", KIND, "negotiated, else highest offered (RFC 8446, 4.2.1)", words=TLS_VERSIONS),
        Field("ja4", TEXT, "JA4 client fingerprint"),
        Field("ech", KIND, "encrypted client hello extension; grease looks the same", words=ECH),
        Field("http_method", KIND, "method of the first request for server_name", words=HTTP_METHODS),
        Field("http_status", pa.uint16(), "status of the first final response to it", True),
        Field("http_location", TEXT, "host of that response's Location"),
        Field("hello", pa.uint8(), "bits: 1 client hello, 2 server hello, 4 alert, 8 certificate"),
        Field("reset_by", KIND, "which side's address the first reset carried", words=RESET_BY),
        Field("reset_ttl_delta", pa.int16(), "TTL of the server's reset less that of its SYN-ACK", True),
        Field("acked_down", pa.uint64(), "server bytes the client acknowledged since the last row"),
        Field("syn_signature", TEXT, "SYN in p0f 3 form: version:ttl:olen:mss:win,scale:options:quirks"),
        Field("lost", pa.uint64(), "bytes acknowledged but never seen since the last row"),
        Field("certificate", TEXT, "the server certificate's subject: common name; to TLS 1.2", since=2),
        Field("issuer", TEXT, "common name of that certificate's issuer", since=2),
        Field("logins", pa.uint16(), "log-ins tried since the flow's last row, as far as seen", since=2),
        Field("logins_failed", pa.uint16(), "of those, refused ones", since=2),
        Field(
            "reset_us", pa.uint32(),
            "the client's last bytes to the first reset from the server's side, µs;"
            " null: the server had answered, or none was seen",
            True, since=3,
        ),
        Field(
            "bursts_down", pa.uint16(),
            "answers of 150 kB and more to what the client asked for after 0.5 s of silence both ways,"
            " ended since the flow's last row",
            since=4,
        ),
    ],
    "dns": [
        Field("ts", TIME, "the question, or the answer where no question was seen"),
        Field("client", ADDRESS, "asker"),
        Field("server", ADDRESS, "resolver; mdns, llmnr, nbns: who answered, else whom it asked"),
        Field("vlan", pa.uint16(), "802.1Q VLAN id, 0 untagged"),
        Field("transport", KIND, "how it was asked", words=DNS_TRANSPORTS),
        Field("id", pa.uint16(), "message id (RFC 1035, 4.1.1)"),
        Field("qname", TEXT, "name asked for; nbns: without padding and last byte"),
        Field("qtype", pa.uint16(), "type asked for (IANA)"),
        Field("rcode", pa.uint8(), "response code, 255 above that; null unanswered", True),
        Field("ra", pa.bool_(), "recursion available in the answer; null unanswered", True),
        Field("ede", pa.uint16(), "extended error code of the answer (RFC 8914)", True),
        Field(
            "answers",
            TEXTS,
            "names in the answer section: CNAME, DNAME, PTR, NS, MX and SRV targets; HTTPS and SVCB: target,"
            " then ` alpn=h2,h3`, ` port=8443`, ` ech` (RFC 9460); nbns: the last byte of the name asked for,"
            " `<20>`, then a node's names, `name<00>`",
        ),
        Field("addresses", ADDRESSES, "A and AAAA records of the answer section"),
        Field("min_ttl", pa.uint32(), "least TTL of the answer section, s", True),
        Field("rtt_us", pa.uint32(), "question to answer at the sensor, µs", True),
        Field("answered", pa.bool_(), "an answer was seen within 5 s"),
        Field("aa", pa.bool_(), "authoritative answer (RFC 1035, 4.1.1); null unanswered", True, since=3),
        Field(
            "soa", pa.bool_(),
            "the authority section holds an SOA, as negative answers of resolvers do (RFC 2308, 3);"
            " null unanswered, or not read to the end",
            True, since=3,
        ),
    ],
    "sightings": [
        Field("ts", TIME, "packet time"),
        Field("vlan", pa.uint16(), "802.1Q VLAN id, 0 untagged"),
        Field("source", KIND, "protocol that said so", words=SIGHTING_SOURCES),
        Field("mac", MAC, "the device the statement is about"),
        Field("ip", ADDRESS, "its address where stated, else ::"),
        Field("name", TEXT, "what it calls itself, UTF-8, control characters escaped"),
        Field("value", TEXT, "the statement: offered address, SSID, class, …"),
        Field("attributes", ATTRIBUTES, "further facts by name"),
    ],
    "health": [
        Field("ts", TIME, "packet time; start and stop: the clock's"),
        Field("sensor", KIND, "name of the sensor"),
        Field("boot", TEXT, "one run of the sensor, or one replayed file"),
        Field("sequence", pa.uint64(), "number of the batch this row is in"),
        Field("event", KIND, "why the row was written", words=HEALTH_EVENTS),
        Field("packets", pa.uint64(), "frames processed since the last row"),
        Field("bytes", pa.uint64(), "wire bytes of those frames"),
        Field("dropped_kernel", pa.uint64(), "frames the kernel dropped since the last row"),
        Field("dropped_ring", pa.uint64(), "ring blocks lost or frozen since the last row"),
        Field("truncated", pa.uint64(), "frames shorter than their headers say"),
        Field("malformed", pa.uint64(), "frames whose headers contradict themselves"),
        Field("unknown_link", pa.uint64(), "frames of a link or network layer not decoded"),
        Field("duplicates", pa.uint64(), "frames dropped as the mirror's second copy"),
        Field("flows", pa.uint64(), "flows in the table now"),
        Field("flows_peak", pa.uint64(), "most flows at once since the last row"),
        Field("evicted", pa.uint64(), "flows written out early because the table was full"),
        Field("reassembly_peak", pa.uint64(), "most stream heads buffered at once since the last row"),
        Field("outbox_bytes", pa.uint64(), "bytes waiting in the sensor's log"),
        Field("outbox_lost", pa.uint64(), "records the log's bound threw away since the last row"),
        Field("clock_offset_us", pa.int64(), "sensor clock less reference, µs", True),
        Field("lists", TEXT, "version of the lists in force, empty at a sensor"),
        Field("policy", TEXT, "version of the policy in force, empty at a sensor"),
        Field("version", TEXT, "version of spanwatch"),
        Field("heads_refused", pa.uint64(), "streams and handshakes not read for want of a place", since=2),
    ],
}  # fmt: skip

SCHEMAS: dict[str, pa.Schema] = {
    kind: pa.schema(
        [pa.field(f.name, f.type, nullable=f.nullable, metadata={"note": f.note}) for f in fields],
        metadata={"records": kind, "version": str(SCHEMA_VERSION)},
    )
    for kind, fields in RECORDS.items()
}

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def address_text(packed: bytes) -> str:
    """Text of a 16-byte address; IPv4-mapped ones as dotted quads."""
    if packed[:12] == b"\0" * 10 + b"\xff\xff":
        return str(ipaddress.IPv4Address(packed[12:]))
    return str(ipaddress.IPv6Address(packed))


def address_bytes(text: str) -> bytes:
    """16 bytes of an IPv4 or IPv6 address. Raises ValueError."""
    address = ipaddress.ip_address(text)
    if address.version == 4:
        return b"\0" * 10 + b"\xff\xff" + address.packed
    return address.packed


def mapped_text(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """The address as IPv6 text, IPv4 mapped (RFC 4291, 2.5.5.2): as ClickHouse's `toIPv6` takes it."""
    return f"::ffff:{address}" if address.version == 4 else str(address)


def mac_text(mac: int) -> str:
    """`aa:bb:cc:dd:ee:ff` of an integer."""
    return ":".join(f"{(mac >> shift) & 255:02x}" for shift in range(40, -8, -8))


def time_text(us: int) -> str:
    """RFC 3339 with microseconds, of microseconds since 1970."""
    return (EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


#: Community ID maps ICMP types to their counterpart (community-id-spec, "ICMPv4/6 type and code").
_ICMP_PEER = {
    1: {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17, 9: 10, 10: 9},
    58: {128: 129, 129: 128, 133: 134, 134: 133, 135: 136, 136: 135, 130: 131, 131: 130,
         139: 140, 140: 139, 144: 145, 145: 144},
}  # fmt: skip


def community_id(client: bytes, server: bytes, client_port: int, server_port: int, protocol: int) -> str:
    """Community ID version 1, seed 0, of one flow."""
    src, dst = (a[12:] if a[:12] == b"\0" * 10 + b"\xff\xff" else a for a in (client, server))
    a, b = client_port, server_port
    ordered = True
    if protocol in _ICMP_PEER:
        peer = _ICMP_PEER[protocol].get(a)
        if peer is None:
            ordered = False
        else:
            b = peer
    if ordered and (src, a) > (dst, b):
        src, dst, a, b = dst, src, b, a
    head = b"\0\0" + src + dst + bytes([protocol, 0])
    if protocol in (1, 6, 17, 58, 132):
        head += a.to_bytes(2, "big") + b.to_bytes(2, "big")
    return "1:" + base64.b64encode(hashlib.sha1(head, usedforsecurity=False).digest()).decode()


def _plain(type_: pa.DataType) -> Callable[[Any], Any] | None:
    if pa.types.is_timestamp(type_):
        return time_text
    if type_ == ADDRESS:
        return address_text
    if type_ == ADDRESSES:
        return lambda packed: [address_text(a) for a in packed]
    if pa.types.is_map(type_):
        return dict
    return None


def json_rows(kind: str, batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows of a batch as JSON-ready objects, in the form `spanwatch read` prints."""
    columns: dict[str, list[Any]] = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_timestamp(field.type):
            column = column.cast(pa.int64())
        values = column.to_pylist()
        form = mac_text if field.name in ("mac", "client_mac", "server_mac") else _plain(field.type)
        if form is not None:
            values = [None if value is None else form(value) for value in values]
        columns[field.name] = values
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if kind == "flows":
        packed = zip(
            *(
                batch.column(n).to_pylist()
                for n in ("client", "server", "client_port", "server_port", "protocol")
            ),
            strict=True,
        )
        for row, key in zip(rows, packed, strict=True):
            row["community_id"] = community_id(*key)
    return rows
