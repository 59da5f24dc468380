"""TCP state of a flow, against Zeek's definitions and made conversations."""

import struct

import pytest

from capture.tcp import ahead
from tests.capture.packets import (
    ACK,
    CLIENT,
    FIN,
    PSH,
    RST,
    SECOND,
    SERVER,
    SYN,
    T0,
    Conversation,
    Packet,
    client_hello,
    ethernet,
    ipv4,
    ipv6,
    rows_of,
    server_hello,
    tcp,
)


def test_a_whole_conversation_fills_every_field() -> None:
    """A TLS connection from handshake to FIN gives one row whose every number can be counted by hand."""
    hello, answer = client_hello(), server_hello()
    options = bytes.fromhex("020405b40402080a00000001000000000103030700")[:20]
    talk = Conversation().up(SYN, options=options).down(SYN | ACK, ttl=57).up(ACK)
    talk.up(ACK | PSH, hello).down(ACK | PSH, answer, ttl=57).up(ACK, ttl=63)
    talk.down(ACK | PSH, b"x" * 1_000, ttl=56).up(ACK).close()
    row = rows_of(talk.packets).flow
    expected = {
        "sensor": "gate",
        "vlan": 0,
        "tunnel": "",
        "start": "2026-03-02T08:00:00.000000Z",
        "end": "2026-03-02T08:00:00.100000Z",
        "first": "2026-03-02T08:00:00.000000Z",
        "client": CLIENT,
        "server": SERVER,
        "client_port": 40_000,
        "server_port": 443,
        "protocol": 6,
        "client_mac": "02:00:00:00:00:01",
        "server_mac": "02:00:00:00:00:02",
        "bytes_up": 7 * 40 + 20 + len(hello),
        "bytes_down": 4 * 40 + len(answer) + 1_000,
        "packets_up": 7,
        "packets_down": 4,
        "payload_up": len(hello),
        "payload_down": len(answer) + 1_000,
        "state": "SF",
        "flags_up": SYN | ACK | PSH | FIN,
        "flags_down": SYN | ACK | PSH | FIN,
        "rtt_us": 20_000,
        "retransmits_up": 0,
        "retransmits_down": 0,
        "ttl_up_min": 63,
        "ttl_up_max": 64,
        "ttl_down_min": 56,
        "ttl_down_max": 64,
        "ended": "closed",
        "application": "tls",
        "server_name": "www.example.org",
        "name_source": "sni",
        "alpn": "h2",
        "tls_version": "1.3",
        "ja4": "t13d0203h2_c1929292aa6b_b9a491fefe05",
        "ech": "none",
        "http_method": "",
        "http_status": None,
        "http_location": "",
        "hello": 3,
        "reset_by": "none",
        "reset_ttl_delta": None,
        "acked_down": len(answer) + 1_000,
        "syn_signature": "4:64:0:1460:64240,7:mss,sok,ts,nop,ws:df,id+:0",
        "lost": 0,
        "certificate": "",
        "issuer": "",
        "logins": 0,
        "logins_failed": 0,
        "reset_us": None,
        "bursts_down": 0,
    }
    assert {name: row[name] for name in expected} == expected
    assert set(row) - set(expected) == {"flow_id", "community_id"}


def half(*segments: tuple[bool, int]) -> list[Packet]:
    """A conversation of (from the client?, flags)."""
    talk = Conversation()
    for up, flags in segments:
        (talk.up if up else talk.down)(flags)
    return talk.packets


OPENED = ((True, SYN), (False, SYN | ACK), (True, ACK))


@pytest.mark.parametrize(
    ("state", "segments"),
    [
        ("S0", ((True, SYN),)),
        ("S0", ((True, SYN), (False, ACK))),
        ("S1", OPENED),
        ("SF", (*OPENED, (True, FIN | ACK), (False, FIN | ACK), (True, ACK))),
        ("SF", (*OPENED, (False, FIN | ACK), (True, FIN | ACK), (False, ACK))),
        ("SF", (*OPENED, (True, FIN | ACK), (True, RST), (False, FIN | ACK))),
        ("SF", (*OPENED, (True, FIN | ACK), (False, FIN | ACK), (False, RST))),
        ("SF", ((True, ACK), (False, FIN | ACK), (True, FIN | ACK))),
        ("REJ", ((True, SYN), (False, RST | ACK))),
        ("REJ", ((True, SYN), (False, RST | ACK), (True, RST))),
        ("REJ", (*OPENED, (True, RST), (False, RST))),
        ("S2", (*OPENED, (True, FIN | ACK), (False, ACK))),
        ("S3", (*OPENED, (False, FIN | ACK), (True, ACK))),
        ("RSTO", (*OPENED, (True, RST))),
        ("RSTR", (*OPENED, (False, RST | ACK))),
        ("RSTOS0", ((True, SYN), (True, RST))),
        ("RSTRH", ((False, SYN | ACK), (False, RST))),
        ("RSTO", ((False, SYN | ACK), (True, RST))),
        ("RSTR", (*OPENED, (True, FIN | ACK), (False, RST))),
        ("SH", ((True, SYN), (True, FIN))),
        ("SH", ((True, SYN | FIN),)),
        ("SH", ((True, ACK), (True, FIN | ACK))),
        ("SHR", ((False, SYN | ACK), (False, FIN | ACK))),
        ("OTH", ((True, ACK), (False, ACK))),
        ("OTH", ((True, RST),)),
        ("OTH", ((True, SYN), (True, ACK), (True, RST))),
        ("OTH", ((False, SYN | ACK),)),
    ],
)
def test_states_are_zeeks(state: str, segments: tuple[tuple[bool, int], ...]) -> None:
    """Each of the 13 connection states is told by the segments that Zeek's documentation gives for it."""
    row = rows_of(half(*segments)).flow
    assert row["state"] == state
    assert (row["client"], row["server"]) == (CLIENT, SERVER)


def test_a_reset_after_data_is_no_refusal() -> None:
    """Two resets end an empty connection as refused (REJ), and one that carried data as reset."""
    talk = Conversation().open().up(ACK | PSH, b"x").up(RST).down(RST)
    assert rows_of(talk.packets).flow["state"] == "RSTR"


def test_a_syn_ack_first_names_the_client() -> None:
    """A connection whose SYN the mirror missed still has the SYN-ACK's target as its client."""
    talk = Conversation(sport=99, dport=40_001).down(SYN | ACK).up(ACK).up(ACK | PSH, b"abc").down(ACK)
    row = rows_of(talk.packets).flow
    assert (row["client_port"], row["server_port"], row["state"]) == (99, 40_001, "S1")
    assert row["syn_signature"] == ""
    assert row["rtt_us"] is None


@pytest.mark.parametrize(
    ("sport", "dport", "client_first"),
    [(50_000, 443, True), (443, 50_000, False), (40_000, 50_000, True), (3_389, 50_000, False)],
)
def test_mid_stream_the_service_port_is_the_server(sport: int, dport: int, client_first: bool) -> None:
    """Without a handshake the lower port is the server, if it is one that servers listen on."""
    row = rows_of(Conversation(sport=sport, dport=dport).up(ACK, b"x").packets).flow
    assert (row["client_port"] == sport) == client_first
    assert row["state"] == "OTH"


def test_simultaneous_open_is_a_connection() -> None:
    """Two SYNs that cross, then two SYN-ACKs (RFC 9293, 3.5), are one established connection."""
    talk = Conversation()
    talk.up(SYN).down(SYN)
    talk.up(SYN | ACK, seq=1_000, keep=True).down(SYN | ACK, seq=9_000, keep=True)
    talk.up(ACK | PSH, b"hello").down(ACK)
    row = rows_of(talk.packets).flow
    assert (row["state"], row["payload_up"], row["lost"]) == ("S1", 5, 0)


def test_a_reused_port_is_a_new_flow() -> None:
    """A SYN with another number on a closed connection's ports begins a flow of its own."""
    first = Conversation().open().close()
    again = Conversation(seq=77_000, ack=5_000, ts=first.ts).open().up(ACK | PSH, b"data").close()
    old, new = rows_of(first.packets + again.packets).flows
    assert old["flow_id"] != new["flow_id"]
    assert (old["state"], new["state"], old["payload_up"], new["payload_up"]) == ("SF", "SF", 0, 4)
    assert old["ended"] == new["ended"] == "closed"


@pytest.mark.parametrize(
    ("before", "states"),
    [
        (((True, SYN),), ["S0", "S0"]),
        (OPENED, ["S1", "S0"]),
        (((True, ACK), (False, ACK)), ["OTH", "S0"]),
        ((*OPENED, (False, RST)), ["RSTR", "S0"]),
    ],
)
def test_another_first_number_is_another_connection(
    before: tuple[tuple[bool, int], ...], states: list[str]
) -> None:
    """A SYN whose sequence number is not that of the connection's opens one of its own, as in Zeek."""
    talk = Conversation()
    for up, flags in before:
        (talk.up if up else talk.down)(flags)
    rows = rows_of(talk.up(SYN, seq=500_000).packets).flows
    assert [row["state"] for row in rows] == states
    assert [row["ended"] for row in rows] == ["closed", "shutdown"]


def test_a_syn_sent_again_is_the_same_connection() -> None:
    """SYNs with the same number are one attempt, even after a reset; the round trip is the last one's."""
    talk = Conversation().up(SYN).up(SYN, seq=1_000).down(RST | ACK).up(SYN, seq=1_000)
    row = rows_of(talk.packets).flow
    assert (row["state"], row["packets_up"], row["retransmits_up"]) == ("REJ", 3, 2)
    talk = Conversation(step=SECOND).up(SYN)
    talk.step = 10_000
    talk.up(SYN, seq=1_000).down(SYN | ACK).up(ACK)
    assert rows_of(talk.packets).flow["rtt_us"] == 20_000
    # The first answer was lost behind the mirror.
    talk = Conversation(step=SECOND).up(SYN).down(SYN | ACK)
    talk.step = 10_000
    talk.up(SYN, seq=1_000).down(SYN | ACK, seq=9_000).up(ACK)
    assert rows_of(talk.packets).flow["rtt_us"] == 20_000


def test_an_end_without_a_beginning_is_told_apart() -> None:
    """SYN-ACKs of two numbers without a SYN, as backscatter has them, are two connections."""
    talk = Conversation().down(SYN | ACK).down(SYN | ACK, seq=70_000)
    assert [row["state"] for row in rows_of(talk.packets).flows] == ["OTH", "OTH"]


def test_a_syn_behind_its_answer_opens_the_connection() -> None:
    """A mirror that delivers the SYN after its SYN-ACK leaves one established connection with its form."""
    talk = Conversation().open().up(ACK | PSH, b"hello").down(ACK)
    first, second = talk.packets[:2]
    talk.packets[:2] = [Packet(first.ts, second.data), Packet(second.ts, first.data)]
    row = rows_of(talk.packets).flow
    assert (row["client"], row["state"], row["payload_up"]) == (CLIENT, "S1", 5)
    assert row["syn_signature"].startswith("4:64:0:")


def test_keep_alives_are_not_sent_again() -> None:
    """A probe of the last byte, with a byte or without, is no retransmission; the last two bytes are."""
    talk = Conversation().open().up(ACK, b"x" * 100).down(ACK)
    talk.up(ACK, b"x", seq=1_100, keep=True).up(ACK, seq=1_100, keep=True)
    assert rows_of(talk.packets).flow["retransmits_up"] == 0
    talk.up(ACK, b"xx", seq=1_099, keep=True)
    assert rows_of(talk.packets).flow["retransmits_up"] == 1


def test_a_forged_reset_moves_no_number() -> None:
    """A reset with numbers of its own makes no loss and no acknowledged bytes."""
    talk = Conversation().open().down(ACK, b"x" * 10).up(ACK)
    talk.down(RST | ACK, seq=700_000, ack=900_000, keep=True).up(
        RST | ACK, seq=800_000, ack=600_000, keep=True
    )
    row = rows_of(talk.packets).flow
    assert (row["lost"], row["acked_down"], row["reset_by"]) == (0, 10, "server")


def test_fast_open_data_counts_from_the_syn() -> None:
    """Data on a SYN (RFC 7413) is payload; sent again, because it was not acknowledged, it is one more."""
    talk = Conversation().up(SYN, b"hello").down(SYN | ACK).up(ACK).down(ACK, b"d" * 9).up(ACK)
    row = rows_of(talk.packets).flow
    assert (row["state"], row["payload_up"], row["retransmits_up"], row["acked_down"]) == ("S1", 5, 0, 9)
    talk = Conversation().up(SYN, b"hello").down(SYN | ACK, ack=1_001)
    talk.up_next = 1_001
    row = rows_of(talk.up(ACK | PSH, b"hello").down(ACK).packets).flow
    assert (row["payload_up"], row["retransmits_up"], row["lost"]) == (10, 1, 0)


def test_late_segments_stay_with_the_closed_flow() -> None:
    """What arrives within 5 s of the end counts in the flow that ended."""
    talk = Conversation().open().close()
    talk.down(ACK, keep=True)
    row = rows_of(talk.packets).flow
    assert (row["packets_down"], row["state"]) == (3, "SF")


@pytest.mark.parametrize(("ttl", "delta"), [(57, 0), (61, 4), (50, -7)])
def test_a_reset_tells_its_distance(ttl: int, delta: int) -> None:
    """A reset under the server's address has the difference of its TTL to the SYN-ACK's."""
    talk = Conversation().up(SYN).down(SYN | ACK, ttl=57).up(ACK).down(RST | ACK, ttl=ttl)
    row = rows_of(talk.packets).flow
    assert (row["reset_by"], row["reset_ttl_delta"], row["state"]) == ("server", delta, "RSTR")


def test_the_clients_reset_has_no_distance() -> None:
    """A reset of the client says who sent it, and null for the server's TTL."""
    row = rows_of(Conversation().open().up(RST).packets).flow
    assert (row["reset_by"], row["reset_ttl_delta"]) == ("client", None)


def test_segments_sent_again_are_retransmissions() -> None:
    """Bytes below the next expected number count as sent again, in their direction, and are not lost."""
    talk = Conversation().open().up(ACK, b"a" * 100)
    talk.up(ACK, b"a" * 100, seq=1_001, keep=True).down(ACK).down(ACK, b"b" * 50)
    talk.down(ACK, b"b" * 50, seq=9_001, keep=True).down(ACK, b"b" * 50, seq=9_001, keep=True).up(ACK)
    row = rows_of(talk.packets).flow
    assert (row["retransmits_up"], row["retransmits_down"], row["lost"]) == (1, 2, 0)
    assert (row["payload_up"], row["acked_down"]) == (200, 50)


def test_segments_out_of_order_are_neither_lost_nor_sent_again() -> None:
    """A hole that fills before it is acknowledged is no loss."""
    talk = Conversation().open()
    talk.down(ACK, b"2" * 100, seq=9_101, keep=True).down(ACK, b"1" * 100, seq=9_001, keep=True)
    talk.down_next = 9_201
    row = rows_of(talk.up(ACK).packets).flow
    assert (row["lost"], row["retransmits_down"], row["acked_down"]) == (0, 0, 200)


def test_a_hole_that_fills_after_a_round_trip_was_sent_again() -> None:
    """What comes a round trip later than what stood behind it was lost before the mirror, and sent again."""
    talk = Conversation().open().down(ACK, b"2" * 100, seq=9_101, keep=True)
    talk.ts += 20_000
    talk.down(ACK, b"1" * 100, seq=9_001, keep=True)
    talk.down_next = 9_201
    row = rows_of(talk.up(ACK).packets).flow
    assert (row["lost"], row["retransmits_down"], row["acked_down"]) == (0, 1, 200)


@pytest.mark.parametrize(("ack", "rtt"), [(9_001, 20_000), (9_000, None), (9_002, None), (999_999, None)])
def test_a_handshake_ends_with_an_answer_to_the_server(ack: int, rtt: int | None) -> None:
    """An acknowledgement of what the server never sent tells no round trip."""
    talk = Conversation().up(SYN).down(SYN | ACK).up(ACK, ack=ack)
    assert rows_of(talk.packets).flow["rtt_us"] == rtt


@pytest.mark.parametrize("gap", [1, 1_460, 100_000])
def test_bytes_acknowledged_but_not_seen_are_the_mirrors_loss(gap: int) -> None:
    """A hole that is acknowledged, and an end that is acknowledged, were lost on the way to the sensor."""
    talk = Conversation().open().down(ACK, b"x" * 10)
    talk.down_next += gap
    talk.down(ACK, b"x" * 10).up(ACK)
    talk.down_next += 500
    row = rows_of(talk.up(ACK).packets).flow
    assert (row["lost"], row["payload_down"], row["acked_down"]) == (gap + 500, 20, gap + 520)


def test_loss_from_the_client_counts_too() -> None:
    """The server's acknowledgement of bytes that never came by is loss as well."""
    talk = Conversation().open()
    talk.up_next += 700
    assert rows_of(talk.down(ACK).packets).flow["lost"] == 700


def test_sequence_numbers_wrap_around() -> None:
    """A stream across 2^32 counts acknowledged bytes and loss as any other."""
    talk = Conversation(seq=2**32 - 50, ack=2**32 - 100).open()
    for _ in range(3):
        talk.up(ACK, b"u" * 60).down(ACK, b"d" * 90).up(ACK)
    row = rows_of(talk.close().packets).flow
    assert (row["acked_down"], row["lost"], row["retransmits_up"], row["state"]) == (270, 0, 0, "SF")


def test_probes_are_no_loss() -> None:
    """Keep-alives one below the next number and zero-window probes one byte ahead lose nothing."""
    talk = Conversation().open().up(ACK, b"x" * 100).down(ACK, window=0)
    talk.up(ACK, seq=1_100, keep=True).down(ACK)
    talk.up(ACK, b"y", keep=True).down(ACK, window=0).up(ACK, b"y" * 100).down(ACK)
    row = rows_of(talk.packets).flow
    assert (row["lost"], row["payload_up"]) == (0, 201)


def test_hostile_numbers_keep_counters_sane() -> None:
    """Sequence numbers that jump by 2 GiB a segment make no negative and no absurd counter."""
    talk = Conversation().open()
    for number in range(40):
        talk.down(ACK, b"x", seq=number * 0x7FFF_0000, keep=True).up(ACK, ack=number * 0x7FFF_0000 + 9)
    row = rows_of(talk.packets).flow
    assert 0 <= row["lost"] <= 40 * 2**32
    assert 0 <= row["acked_down"] <= 40 * 2**31


def test_a_round_trip_is_never_negative() -> None:
    """A handshake whose frames arrive out of order, or across a clock step, has a round trip that fits."""
    for shift in (-1, -SECOND, 5_000 * SECOND * 1_000):
        talk = Conversation().open()
        ts, data, _ = talk.packets[-1]
        talk.packets[-1] = Packet(ts - 20_000 + shift, data)
        rows = rows_of(talk.packets).flows
        assert all(row["rtt_us"] is None or 0 <= row["rtt_us"] < 2**32 for row in rows)


@pytest.mark.parametrize(
    ("options", "fields", "signature"),
    [
        # Linux 3.11 and newer, as in p0f.fp: *:64:0:*:mss*20,10:mss,sok,ts,nop,ws:df,id+:0
        ("020405b40402080a0000000100000000010303 0a", {"window": 29_200},
         "4:64:0:1460:29200,10:mss,sok,ts,nop,ws:df,id+:0"),
        # Windows 7 or 8: *:128:0:*:8192,8:mss,nop,ws,nop,nop,sok:df,id+:0
        ("020405b4010303080101 0402", {"window": 8_192, "ttl": 120},
         "4:128:0:1460:8192,8:mss,nop,ws,nop,nop,sok:df,id+:0"),
        # Mac OS X: *:64:0:*:65535,3:mss,nop,ws,nop,nop,ts,sok,eol+1:df,id+:0
        ("020405b4010303030101080a0000000100000000 0402 0000", {"window": 65_535},
         "4:64:0:1460:65535,3:mss,nop,ws,nop,nop,ts,sok,eol+1:df,id+:0"),
        # nmap's SYN scan: *:64-:0:1460:1024,0:mss::0 without DF
        ("020405b4", {"window": 1_024, "ttl": 50}, "4:64:0:1460:1024,0:mss:df,id+:0"),
        ("", {"window": 512, "seq": 0, "ack": 5}, "4:64:0:*:512,0::df,id+,seq-,ack+:0"),
        ("03030f00", {}, "4:64:0:*:64240,15:ws,eol+0:df,id+,exws:0"),
        ("02040500080a00000000000000010000", {}, "4:64:0:1280:64240,0:mss,ts,eol+1:df,id+,ts1-,ts2+:0"),
        ("00ff0000", {}, "4:64:0:*:64240,0:eol+3:df,id+,opt+:0"),
        ("02ff0000", {}, "4:64:0:*:64240,0::df,id+,bad:0"),
        ("fe040000", {}, "4:64:0:*:64240,0:?:df,id+:0"),
    ],
)  # fmt: skip
def test_syn_signatures_are_p0fs(options: str, fields: dict[str, int], signature: str) -> None:
    """The form of a SYN is written as p0f 3 documents it, quirks in the documented order."""
    packets = Conversation().up(SYN, options=bytes.fromhex(options), **fields).packets
    assert rows_of(packets).flow["syn_signature"] == signature


def test_a_signature_tells_of_a_payload() -> None:
    """A SYN with data ends in `+`."""
    talk = Conversation().up(SYN, b"fast open", keep=True)
    assert rows_of(talk.packets).flow["syn_signature"].endswith(":+")


def test_a_signature_tells_of_ip_options() -> None:
    """The third field is the length of the IPv4 options or of the IPv6 extension headers."""
    segment = tcp(SYN, 5)[34:]
    packet = ethernet(ipv4(segment, 6, options=bytes(8)))
    assert rows_of([Packet(T0, packet)]).flow["syn_signature"].startswith("4:64:8:")
    hop_by_hop = b"\x06\0" + bytes(6)
    packet = ethernet(ipv6(hop_by_hop + segment, 0, "2001:db8::1", "2001:db8::2"), 0x86DD)
    assert rows_of([Packet(T0, packet)]).flow["syn_signature"].startswith("6:64:8:")


def test_a_malformed_header_has_no_options() -> None:
    """A SYN whose data offset is wrong counts in its flow; nothing is read as an option."""
    frame = bytearray(tcp(SYN, 5, options=bytes.fromhex("020405b4")))
    frame[14 + 20 + 12] = 0x20
    rows = rows_of([Packet(T0, bytes(frame))])
    assert rows.total("malformed") == 1
    assert rows.flow["syn_signature"] == "4:64:0:*:64240,0::df:0"


@pytest.mark.uncompiled
@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [(5, 3, 2), (3, 5, -2), (0, 2**32 - 1, 1), (2**32 - 1, 0, -1), (2**31, 0, -(2**31)), (7, 7, 0)],
)
def test_distance_of_sequence_numbers(a: int, b: int, distance: int) -> None:
    """The distance of two numbers is the short way around."""
    assert ahead(a, b) == distance


def test_loss_is_told_in_the_row_it_was_seen() -> None:
    """Counters of a row are since the flow's last row: loss in the second minute is in the second row."""
    talk = Conversation(step=1_000).open().down(ACK, b"x" * 10).up(ACK)
    talk.ts = T0 + 61 * SECOND
    talk.down(ACK, b"x").up(ACK)
    talk.down_next += 30
    rows = rows_of(talk.up(ACK).packets).flows
    assert [row["lost"] for row in rows] == [0, 30]
    assert [row["acked_down"] for row in rows] == [10, 31]


def test_options_that_never_end_are_bounded() -> None:
    """Forty bytes of one-byte options are cut at fifteen."""
    row = rows_of(Conversation().up(SYN, options=struct.pack("!40B", *[1] * 40)).packets).flow
    assert row["syn_signature"] == f"4:64:0:*:64240,0:{','.join(['nop'] * 15)}:df,id+:0"


def test_how_soon_a_reset_follows_the_clients_bytes() -> None:
    """It is measured from the last bytes of the client; neither a SYN nor an acknowledgement counts."""
    talk = Conversation(step=1_000).open().up(ACK | PSH, client_hello()).down(ACK).down(RST)
    assert rows_of(talk.packets).flow["reset_us"] == 2_000
    again = Conversation(step=1_000).open().up(ACK | PSH, client_hello(), keep=True)
    again.up(ACK | PSH, client_hello()).down(RST).down(ACK | PSH, server_hello())
    assert rows_of(again.packets).flow["reset_us"] == 1_000
    assert rows_of(Conversation().up(SYN).down(RST | ACK).packets).flow["reset_us"] is None


@pytest.mark.parametrize("flags", [RST, RST | ACK])
def test_a_reset_after_the_server_spoke_tells_no_time(flags: int) -> None:
    """Once the server has answered, or where the client asked nothing or ends it, the time is unknown."""
    talk = Conversation().open().up(ACK | PSH, client_hello()).down(ACK | PSH, server_hello()).down(flags)
    assert rows_of(talk.packets).flow["reset_us"] is None
    assert rows_of(Conversation().open().down(flags).packets).flow["reset_us"] is None
    assert rows_of(Conversation().open().up(ACK, client_hello()).up(flags).packets).flow["reset_us"] is None


def test_a_reset_in_midstream_tells_no_time() -> None:
    """Where the beginning was not seen, nobody knows what the server had said before."""
    talk = Conversation().up(ACK | PSH, client_hello()).down(RST)
    assert rows_of(talk.packets).flow["reset_us"] is None
