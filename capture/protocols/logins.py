"""What segments behind the heads tell: how log-ins end, where requests and hellos begin that came late.

Each protocol has its watcher in its own file; none of them keeps a user's name or a password.
"""

import numpy as np

from capture.flows import APPLICATION
from capture.protocols.ftp import watch_ftp
from capture.protocols.http import watch_http
from capture.protocols.imap import watch_imap
from capture.protocols.kerberos import watch_kerberos
from capture.protocols.ldap import watch_ldap
from capture.protocols.mysql import watch_mysql
from capture.protocols.pop3 import watch_pop3
from capture.protocols.postgresql import watch_postgresql
from capture.protocols.smb import watch_smb
from capture.protocols.smtp import watch_smtp
from capture.protocols.socks import watch_socks
from capture.protocols.ssh import watch_ssh
from capture.protocols.starttls import UPGRADING, watch_upgrade
from capture.protocols.telnet import watch_telnet
from capture.protocols.vnc import watch_vnc
from capture.protocols.watching import is_newest
from pipeline.kernels import packet_kernel, unit_kernel

HTTP, FTP, IMAP, LDAP, MYSQL, POP3 = (
    APPLICATION[word] for word in ("http", "ftp", "imap", "ldap", "mysql", "pop3")
)
POSTGRESQL, SMB, SMTP, SSH, TELNET, VNC, KERBEROS = (
    APPLICATION[word] for word in ("postgresql", "smb", "smtp", "ssh", "telnet", "vnc", "kerberos")
)
SOCKS = APPLICATION["socks"]
#: By application: 1 for those that have a watcher.
WATCHED = UPGRADING.copy()
WATCHED[[HTTP, SMB, SSH, TELNET, VNC, KERBEROS, SOCKS]] = 1


@packet_kernel
def begin_watch(flow):
    """Watch the later segments of a flow whose application is worth it; what others watch stays."""
    if WATCHED[flow.application]:
        flow.watch = flow.application
    elif WATCHED[flow.watch]:
        flow.watch = 0


@packet_kernel
def watch_text(buf, start, end, up, flow):
    """Count what a segment of the protocol `flow.watch` tells of a log-in."""
    code = flow.watch
    if code == SMTP:
        watch_smtp(buf, start, end, up, flow)
    elif code == IMAP:
        watch_imap(buf, start, end, up, flow)
    elif code == POP3:
        watch_pop3(buf, start, end, up, flow)
    elif code == FTP:
        watch_ftp(buf, start, end, up, flow)
    elif code == TELNET:
        watch_telnet(buf, start, end, up, flow)


@unit_kernel
def watch_login(table, buf, start, end, up, i):
    """Look at a segment of a flow whose protocol stands in `flow.watch`; 1 if a head begins anew with it."""
    flow = table.flows[i]
    code = flow.watch
    if end <= start or WATCHED[code] == 0:
        return np.int64(0)
    if code == HTTP:
        return np.int64(watch_http(table, buf, start, end, up, i))
    if code == SOCKS:
        return np.int64(watch_socks(table, buf, start, end, up, i))
    if UPGRADING[code] and watch_upgrade(table, buf, start, end, up, i):
        return np.int64(1)
    if not is_newest(flow, table.packet[0], up):
        # Sent again: it was counted.
        return np.int64(0)
    if code == SSH:
        watch_ssh(buf, start, end, up, flow)
    elif code == SMB:
        watch_smb(buf, start, end, up, flow)
    elif code == LDAP:
        watch_ldap(buf, start, end, up, flow)
    elif code == POSTGRESQL:
        watch_postgresql(buf, start, end, up, flow)
    elif code == MYSQL:
        watch_mysql(buf, start, end, up, flow)
    elif code == VNC:
        watch_vnc(buf, start, end, up, flow)
    elif code == KERBEROS:
        watch_kerberos(buf, start, end, up, flow)
    else:
        watch_text(buf, start, end, up, flow)
    return np.int64(0)
