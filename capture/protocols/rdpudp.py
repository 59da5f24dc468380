"""Remote desktop over UDP (MS-RDPEUDP, MS-RDPEUDP2): the hello of the TLS or DTLS that it carries.

Its headers vary in length with version, acknowledgements and flags; the hello begins behind them.
"""

import numpy as np

from capture.flows import APPLICATION, CLIENT_HEAD_DONE
from capture.octets import u16
from capture.protocols.dtls import VERSIONS, read_dtls
from capture.protocols.outcomes import DONE, NOT
from capture.protocols.tls import is_client_hello, read_tls
from capture.protocols.tls_numbers import HANDSHAKE
from pipeline.kernels import unit_kernel

RDP = APPLICATION["rdp"]
#: Where a hello may begin: behind the shortest header (MS-RDPEUDP2, 2.2.1), and behind the longest with a
#: vector of acknowledgements (MS-RDPEUDP, 2.2.2.7); our defaults.
FIRST, LAST = 7, 64


@unit_kernel
def read_rdpudp(table, buf, start, end, i):
    """Reader of a datagram at the port of RDP: DONE where a hello was found in it."""
    flow = table.flows[i]
    for at in range(start + FIRST, min(start + LAST, end - 16)):
        if buf[at] != HANDSHAKE:
            continue
        if is_client_hello(buf, at, end):
            read_tls(table, buf, at, end, 1, i)
        elif u16(buf, at + 1) not in VERSIONS or read_dtls(table, buf, at, end, i) == NOT:
            continue
        flow.application = RDP
        flow.done |= CLIENT_HEAD_DONE
        return np.int64(DONE)
    return np.int64(NOT)
