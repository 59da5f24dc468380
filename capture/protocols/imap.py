"""IMAP (RFC 9051): how log-ins end (6.2.2, 6.2.3)."""

from capture.protocols.lines import begins, is_command, line_end, octets
from capture.protocols.watching import count_login
from pipeline.kernels import packet_kernel

LOGIN, AUTHENTICATE = octets("login "), octets("authenticate ")
OK, NO = octets("ok"), octets("no")
#: Reasons that lie with the server (RFC 5530, 3).
UNAVAILABLE = octets("no [unavailable]")
#: Longest tag of a command, lines of a segment that are looked at; our defaults.
TAG_MAX, LINES_MAX = 32, 8
#: Bit of `flow.step`: a log-in awaits its end.
ASKED = 1


@packet_kernel
def behind_tag(buf, at, end):
    """Offset of the word behind the tag at `at`, `end` if there is none."""
    stop = min(end, at + TAG_MAX)
    while at < stop and buf[at] > 32:
        at += 1
    return at + 1 if at < stop and buf[at] == 32 else end


@packet_kernel
def watch_imap(buf, start, end, up, flow):
    """Count the log-in that a segment begins or ends."""
    if up:
        at = behind_tag(buf, start, end)
        if begins(buf, at, end, LOGIN) or begins(buf, at, end, AUTHENTICATE):
            flow.step |= ASKED
        return
    if flow.step & ASKED == 0:
        return
    at = start
    for _ in range(LINES_MAX):
        if at >= end:
            return
        if buf[at] != 42 and buf[at] != 43:
            # Neither untagged nor a request to go on: the end of the command.
            flow.step &= 0xFF ^ ASKED
            at = behind_tag(buf, at, end)
            if is_command(buf, at, end, OK):
                count_login(flow, False)
            elif is_command(buf, at, end, NO) and not begins(buf, at, end, UNAVAILABLE):
                count_login(flow, True)
            return
        at = line_end(buf, at, end) + 1
