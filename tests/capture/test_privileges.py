"""Privileges are gone for good, for every thread, and can't be had back."""

import os
import pwd
import subprocess
import sys
import textwrap

import pytest

from capture.privileges import drop_privileges

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to have something to drop")


def run(code: str) -> subprocess.CompletedProcess:
    """Runs `code` in a process of its own: what is dropped can't be picked up again."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )


@as_root
def test_becomes_the_user_and_keeps_nothing():
    """Root becomes the user: ids, groups and capabilities are the user's, and exec gains none."""
    done = run("""
        import os
        from capture.privileges import drop_privileges
        drop_privileges("nobody")
        lines = open("/proc/self/status").read().splitlines()
        status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
        print(os.getresuid(), os.getresgid(), os.getgroups())
        print(*(int(status[k], 16) for k in ("CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd")))
        print(status["NoNewPrivs"])
    """)
    account = pwd.getpwnam("nobody")
    assert done.stdout.splitlines() == [
        f"{(account.pw_uid,) * 3} {(account.pw_gid,) * 3} []",
        "0 0 0 0 0",
        "1",
    ], done.stderr


@as_root
def test_nothing_can_be_had_back():
    """Afterwards neither the user, a raw socket nor root's files are within reach."""
    done = run("""
        import os, socket
        from capture.privileges import drop_privileges
        drop_privileges("nobody")
        def refused(attempt):
            try:
                attempt()
            except PermissionError:
                return True
            return False
        print(refused(lambda: os.setuid(0)),
              refused(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
              refused(lambda: open("/etc/shadow")))
    """)
    assert done.stdout.split() == ["True", "True", "True"], done.stderr


@as_root
def test_reaches_threads_that_already_run():
    """A thread started before is without user and capabilities too."""
    done = run("""
        import os, pathlib, threading
        from capture.privileges import drop_privileges
        release = threading.Event()
        thread = threading.Thread(target=release.wait)
        thread.start()
        drop_privileges("nobody")
        text = pathlib.Path(f"/proc/self/task/{thread.native_id}/status").read_text()
        status = dict(line.split(":\\t", 1) for line in text.splitlines() if ":\\t" in line)
        print(status["Uid"].split()[0], int(status["CapPrm"], 16), int(status["CapEff"], 16))
        release.set()
    """)
    assert done.stdout.split() == [str(pwd.getpwnam("nobody").pw_uid), "0", "0"], done.stderr


@as_root
def test_open_files_stay_usable():
    """What was opened before stays open."""
    done = run("""
        import socket
        from capture.privileges import drop_privileges
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        drop_privileges("nobody")
        print(len(raw.getsockopt(263, 6, 8)))
    """)
    assert done.stdout.split() == ["8"], done.stderr


@as_root
@pytest.mark.parametrize(
    ("user", "says"),
    [("no-such-user", "'no-such-user': it does not exist; create it"), ("root", "'root': it is root")],
)
def test_says_what_is_wrong_with_the_user(user, says):
    """A user that does not exist or is root is refused with the setting to change; nothing is dropped."""
    with pytest.raises(ValueError, match=says) as caught:
        drop_privileges(user)
    assert "sensor.user" in str(caught.value)
    assert os.geteuid() == 0


@as_root
def test_without_root_the_user_stays():
    """A process that is not root keeps its user, whether the other exists or not."""
    done = run("""
        import os
        from capture.privileges import drop_privileges
        os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
        drop_privileges("no-such-user")
        print(os.getuid(), [l.split()[1] for l in open("/proc/self/status") if l.startswith("NoNewPrivs")][0])
    """)
    assert done.stdout.split() == ["65534", "1"], done.stderr
