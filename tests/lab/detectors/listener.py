"""A server that accepts connections on one port and says nothing; a program of its own.

python3 listener.py PORT
"""

import socket
import sys


def main(port: int) -> None:
    """Accept until the end, over IPv4 and IPv6."""
    with socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512) as server:
        while True:
            connection, _ = server.accept()
            connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
