"""What the sensor names a flow by made datagrams or made heads of a stream."""

from tests.capture.packets import ACK, CLIENT, SERVER, T0, Conversation, Packet, rows_of, udp

#: A port that says nothing.
PORT = 12_345
UP, DOWN = True, False


def of_datagrams(*talk: tuple[bool, bytes], port: int = PORT, client_port: int = 50_000) -> str:
    """Application of one UDP flow: (from the client?, payload) in order, 10 ms apart."""
    packets = []
    for number, (up, payload) in enumerate(talk):
        if up:
            frame = udp(payload, client_port, port, ident=number + 1)
        else:
            frame = udp(payload, port, client_port, source=SERVER, target=CLIENT, ident=number + 1)
        packets.append(Packet(T0 + 10_000 * number, frame))
    return str(rows_of(packets).flow["application"])


def of_datagram(payload: bytes, port: int = PORT) -> str:
    """Application of a flow of one datagram."""
    return of_datagrams((UP, payload), port=port)


def of_stream(*talk: tuple[bool, bytes], port: int = PORT, opened: bool = True) -> str:
    """Application of one TCP flow: (from the client?, segment) in order; `opened` with its handshake."""
    conversation = Conversation(dport=port)
    if opened:
        conversation.open()
    for up, payload in talk:
        (conversation.up if up else conversation.down)(ACK, payload)
    return str(rows_of(conversation.packets).flow["application"])


def of_client(payload: bytes, port: int = PORT) -> str:
    """Application of a connection whose client sends this, and whose server sends nothing."""
    return of_stream((UP, payload), port=port)


def of_server(payload: bytes, port: int = PORT) -> str:
    """Application of a connection whose server speaks first, and whose client says nothing."""
    return of_stream((DOWN, payload), port=port)
