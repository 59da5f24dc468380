"""FTP (RFC 959): how log-ins end."""

from capture.protocols.lines import begins, octets, reply_code
from capture.protocols.watching import count_login
from pipeline.kernels import packet_kernel

USER, PASS, ACCT = octets("user "), octets("pass"), octets("acct ")
ADMITTED = 230
#: Not logged in (5.4); 430: invalid user name or password, as some servers have it.
REFUSALS = (530, 430)
#: Bit of `flow.step`: a log-in awaits its end.
ASKED = 1


@packet_kernel
def watch_ftp(buf, start, end, up, flow):
    """Count the log-in that a segment begins or ends."""
    if up:
        if begins(buf, start, end, USER) or begins(buf, start, end, PASS) or begins(buf, start, end, ACCT):
            flow.step |= ASKED
        return
    if flow.step & ASKED == 0:
        return
    code = reply_code(buf, start, end)
    flow.step &= 0xFF ^ ASKED
    if code == ADMITTED:
        count_login(flow, False)
    elif code in REFUSALS:
        count_login(flow, True)
