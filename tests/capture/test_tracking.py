"""Which flow a packet belongs to, and who its client is."""

import struct

import pytest

from tests.capture.packets import (
    CLIENT,
    T0,
    Packet,
    Rows,
    icmp,
    ip,
    rows_of,
    udp,
)


def total(rows: Rows, name: str) -> int:
    """Sum of both directions over all flow rows."""
    return sum(row[f"{name}_up"] + row[f"{name}_down"] for row in rows.flows)


def test_directions_of_other_protocols() -> None:
    """Echo requests and replies are one flow of the asker; GRE and SCTP have the first sender as client."""
    echo = [Packet(T0, icmp(8, 0)), Packet(T0 + 1_000, icmp(0, 0, source="192.0.2.80", target=CLIENT))]
    row = rows_of(echo).flow
    assert (row["client"], row["packets_up"], row["packets_down"]) == (CLIENT, 1, 1)
    assert (row["state"], row["application"]) == ("OTH", "icmp")
    reversed_row = rows_of(echo[::-1]).flow
    assert reversed_row["client"] == CLIENT
    sctp = struct.pack("!HHII", 5_000, 36_412, 0, 0)
    row = rows_of([Packet(T0, ip(sctp, 132, CLIENT, "192.0.2.80"))]).flow
    assert (row["client_port"], row["server_port"], row["protocol"]) == (5_000, 36_412, 132)
    assert row["state"] == "OTH"


@pytest.mark.parametrize("group", ["255.255.255.255", "239.255.255.250", "ff02::fb"])
def test_who_speaks_to_a_group_is_the_client(group: str) -> None:
    """A broadcast or multicast address opens nothing, even where the speaker's port is a service's."""
    speaker = "fe80::7" if ":" in group else "10.0.0.1"
    row = rows_of([Packet(T0, udp(b"x", 67, 68, source=speaker, target=group, ident=1))]).flow
    assert (row["client"], row["server"], row["state"]) == (speaker, group, "S0")
