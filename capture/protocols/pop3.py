"""POP3 (RFC 1939): how log-ins end (PASS, APOP; AUTH: RFC 5034)."""

from capture.protocols.lines import begins, octets
from capture.protocols.watching import count_login
from pipeline.kernels import packet_kernel

PASS, APOP, AUTH = octets("pass "), octets("apop "), octets("auth ")
OK, REFUSED, GO_ON = octets("+ok"), octets("-err"), octets("+ ")
#: Reasons that lie with the server (RFC 2449, 8.1.1; RFC 3206).
SYSTEM, IN_USE, LOGIN_DELAY = octets("-err [sys"), octets("-err [in-use"), octets("-err [login-delay")
#: Bit of `flow.step`: a log-in awaits its end.
ASKED = 1


@packet_kernel
def watch_pop3(buf, start, end, up, flow):
    """Count the log-in that a segment begins or ends."""
    if up:
        if begins(buf, start, end, PASS) or begins(buf, start, end, APOP) or begins(buf, start, end, AUTH):
            flow.step |= ASKED
        return
    if flow.step & ASKED == 0 or begins(buf, start, end, GO_ON):
        return
    flow.step &= 0xFF ^ ASKED
    if begins(buf, start, end, OK):
        count_login(flow, False)
    elif begins(buf, start, end, REFUSED) and not (
        begins(buf, start, end, SYSTEM)
        or begins(buf, start, end, IN_USE)
        or begins(buf, start, end, LOGIN_DELAY)
    ):
        count_login(flow, True)
