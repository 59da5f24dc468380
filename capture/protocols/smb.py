"""SMB 1, 2 and 3: how session set-ups end (MS-SMB2, 2.2.6; MS-CIFS, 2.2.4.53)."""

import numpy as np

from capture.octets import le32, u8, u16, u24, u32
from capture.protocols.watching import count_login
from pipeline.kernels import packet_kernel

#: "\xfeSMB", "\xffSMB"; the NetBIOS session header before them.
SMB_2, SMB_1, TRANSPORT = 0xFE534D42, 0xFF534D42, 4
SESSION_SETUP_2, SESSION_SETUP_1 = 1, 0x73
RESPONSE_2, RESPONSE_1 = 1, 0x80
HEADER_2, HEADER_1 = 64, 32
GUEST, NULL_SESSION = 1, 2
SUCCESS = 0
#: MS-ERREF, 2.3.1: no such user, wrong password, log-on failure, account restriction, log-on hours,
#: workstation, password expired, account disabled, log-on type, account expired, must change the password,
#: locked out; and access denied.
REFUSALS = np.array([
    0xC0000064, 0xC000006A, 0xC000006D, 0xC000006E, 0xC000006F, 0xC0000070, 0xC0000071, 0xC0000072,
    0xC000015B, 0xC0000193, 0xC0000224, 0xC0000234, 0xC0000022,
])  # fmt: skip
#: Messages of a segment that are looked at; our default.
MESSAGES_MAX = 8


@packet_kernel
def count_status(flow, status, somebody):
    """Count the end of a session set-up; one that goes on, or failed for another reason, is none."""
    if status == SUCCESS:
        if somebody:
            count_login(flow, False)
        return
    for i in range(len(REFUSALS)):
        if REFUSALS[i] == status:
            count_login(flow, True)


@packet_kernel
def watch_smb(buf, start, end, up, flow):
    """Count the session set-ups that a segment of the server ends; nobody and guests are no log-ins."""
    if up:
        return
    at = start
    for _ in range(MESSAGES_MAX):
        if end - at < TRANSPORT + HEADER_1 or buf[at] != 0:
            return
        head = at + TRANSPORT
        if u32(buf, head) == SMB_2:
            # Flags and command stand in little-endian fields whose first octet is all that is used.
            if end - head < HEADER_2 + 4:
                return
            if buf[head + 12] == SESSION_SETUP_2 and buf[head + 13] == 0 and buf[head + 16] & RESPONSE_2:
                anonymous = u8(buf, head + HEADER_2 + 2) & (GUEST | NULL_SESSION)
                count_status(flow, le32(buf, head + 8), anonymous == 0)
        elif u32(buf, head) == SMB_1:
            if buf[head + 4] == SESSION_SETUP_1 and buf[head + 9] & RESPONSE_1:
                # Words: AndX (4 octets), Action, whose first bit tells a guest.
                guest = end - head >= HEADER_1 + 7 and u8(buf, head + HEADER_1) >= 3
                guest = guest and u16(buf, head + HEADER_1 + 5) & 0x0100 != 0
                count_status(flow, le32(buf, head + 5), not guest)
        else:
            return
        at = head + u24(buf, at + 1)
