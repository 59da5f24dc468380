"""Becoming a user without rights, once what needed rights is open."""

import ctypes
import errno
import grp
import os
import pwd
from pathlib import Path

# prctl(2) and capabilities(7): linux/prctl.h, linux/capability.h.
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
CAPABILITY_VERSION_3 = 0x2008_0522
LAST_CAPABILITY = Path("/proc/sys/kernel/cap_last_cap")
TASKS = Path("/proc/self/task")
#: Sets that must be empty afterwards, as /proc/<pid>/status names them.
CAPABILITY_SETS = ("CapPrm", "CapEff", "CapInh", "CapAmb")


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int, *, optional: bool = False) -> None:
    """Calls prctl(2). Raises OSError, except for what an old kernel does not know if `optional`."""
    zero = ctypes.c_ulong(0)
    if _libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero) == 0:
        return
    code = ctypes.get_errno()
    if not (optional and code in (errno.EINVAL, errno.EPERM)):
        raise OSError(f"cannot drop privileges: prctl {option}: {os.strerror(code)}")


def _clear_capabilities() -> None:
    """Empties the capability sets of the calling thread."""
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, optional=True)
    header, sets = _Header(CAPABILITY_VERSION_3, 0), (_Sets * 2)()
    if _libc.capset(ctypes.byref(header), ctypes.byref(sets)) != 0:
        code = ctypes.get_errno()
        raise OSError(f"cannot drop capabilities: {os.strerror(code)}")


def _status(path: Path) -> dict[str, str]:
    lines = (line.partition(":") for line in path.read_text().splitlines())
    return {key: value.strip() for key, _, value in lines}


def drop_privileges(user: str) -> None:
    """Becomes `user` for good: its user and group alone, no capabilities, none to be gained by exec.

    A process that is not root keeps its user and loses the capabilities it was started with. Call it
    before starting threads: Linux changes the user of all of them, but capabilities and the ban on new
    privileges only of the one that asks. Raises ValueError where the user does not exist or is root,
    OSError where something could not be dropped.
    """
    root = os.geteuid() == 0
    if root:
        account = _account(user)
        for capability in range(int(LAST_CAPABILITY.read_text()) + 1):
            _prctl(PR_CAPBSET_DROP, capability, optional=True)
        os.setgroups([])
        os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
        os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    _clear_capabilities()
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _verify(account if root else None)


def _account(user: str) -> pwd.struct_passwd:
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise ValueError(
            f"cannot become user {user!r}: it does not exist; create it (useradd --system {user}) "
            "or set sensor.user to another"
        ) from None
    if account.pw_uid == 0:
        raise ValueError(f"cannot drop privileges to user {user!r}: it is root; set sensor.user to another")
    return account


def _verify(account: pwd.struct_passwd | None) -> None:
    """Raises OSError unless the kernel says that nothing is left."""
    own = _status(Path("/proc/thread-self/status"))
    # Only setuid reaches other threads; without it there is nothing to hold them to.
    threads = [_status(task / "status") for task in TASKS.iterdir()] if account else [own]
    left = {
        f"{name} {status[name]}"
        for status in threads
        for name in CAPABILITY_SETS
        if int(status.get(name, "0"), 16) != 0
    }
    if account:
        ids = {identifier for status in threads for identifier in status["Uid"].split()}
        groups = {identifier for status in threads for identifier in status["Gid"].split()}
        left |= {f"user {identifier}" for identifier in ids - {str(account.pw_uid)}}
        left |= {f"group {identifier}" for identifier in groups - {str(account.pw_gid)}}
        left |= {f"group {grp.getgrgid(g).gr_name}" for g in os.getgroups() if g != account.pw_gid}
    if own.get("NoNewPrivs", "1") != "1":
        left.add("new privileges by exec")
    if left:
        raise OSError(
            errno.EPERM, f"privileges are not gone: {', '.join(sorted(left))}; start as another user"
        )
