"""States of what has no handshake; TCP's are in test_tcp.py."""

import pytest

from tests.capture.packets import (
    CLIENT,
    T0,
    Packet,
    rows_of,
    udp,
)


@pytest.mark.parametrize(("up", "down", "state"), [(2, 2, "SF"), (1, 0, "S0"), (0, 1, "SHR")])
def test_states_of_udp(up: int, down: int, state: str) -> None:
    """UDP has Zeek's states, too: both sides spoke, one did."""
    packets = [Packet(T0 + n, udp(b"x", 50_000, 4_000, ident=n + 1)) for n in range(up)]
    packets += [
        Packet(T0 + 10 + n, udp(b"x", 443, 50_000, source="192.0.2.80", target=CLIENT, ident=n + 1))
        if up == 0
        else Packet(T0 + 10 + n, udp(b"x", 4_000, 50_000, source="192.0.2.80", target=CLIENT, ident=n + 1))
        for n in range(down)
    ]
    assert rows_of(packets).flow["state"] == state
