"""A remote desktop as far as a refused log-in: X.224 (MS-RDPBCGR, 2.2.1.1), TLS, credentials, the end.

python3 desktop.py serve CERTIFICATE KEY
python3 desktop.py guess ADDRESS TIMES
"""

import socket
import ssl
import struct
import sys

PORT = 3389
TLS = 1


def _connection(code: int, offer: int) -> bytes:
    body = struct.pack(">BBHHB", 14, code, 0, 0, 0) + struct.pack("<BBHI", offer, 0, 8, TLS)
    return struct.pack(">BBH", 3, 0, len(body) + 4) + body


def serve(certificate: str, key: str) -> None:
    """Refuse everybody, as a server does whose users have other passwords."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("", PORT), backlog=64) as server:
        while True:
            connection, _ = server.accept()
            with connection:
                if len(connection.recv(64)) < 19:
                    continue
                connection.sendall(_connection(0xD0, 2))
                with context.wrap_socket(connection, server_side=True) as protected:
                    protected.recv(1024)
                    protected.sendall(bytes(180))
                    protected.recv(1024)
                    protected.sendall(bytes(24))


def guess(address: str, times: int) -> None:
    """Offer wrong credentials, a connection each."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for number in range(times):
        with socket.create_connection((address, PORT)) as connection:
            connection.sendall(_connection(0xE0, 1))
            connection.recv(64)
            with context.wrap_socket(connection) as protected:
                protected.sendall(bytes(57))
                protected.recv(1024)
                protected.sendall(bytes(420 + number % 8))
                protected.recv(1024)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    else:
        guess(sys.argv[2], int(sys.argv[3]))
