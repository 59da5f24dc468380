"""Threads and child processes: nothing outlives its owner, no failure is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from spanwatch import supervision
from spanwatch.supervision import child, keep_running, running
from tests.spanwatch.program import ROOT, environment

#: A process that ends as a sensor does: when its standard input closes, or on SIGTERM; it says which.
FOLLOWER = """
import signal, sys, time
from spanwatch.sensing import stop_with_parent
out = open(sys.argv[1], 'w')
def say(word):
    out.seek(0), out.truncate(), out.write(word), out.flush()
signal.signal(signal.SIGTERM, lambda *_: (say('stopped'), sys.exit(0)))
stop_with_parent()
say('ready')
time.sleep(60)
"""


def _wait_for(path: Path, text: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists() and path.read_text() == text:
            return
        time.sleep(0.02)
    pytest.fail(f"{path} never said {text}")


def test_running_ends_with_its_block() -> None:
    """The thread's event is set at the end of the block, and it is waited for."""
    ended: list[bool] = []

    def work(stop: threading.Event) -> None:
        stop.wait(20)
        ended.append(stop.is_set())

    stop = threading.Event()
    with running("test", work, stop):
        pass
    assert ended == [True]
    assert not stop.is_set()


def test_running_hands_on_the_failure() -> None:
    """A thread that fails stops the rest, and its exception outranks what the block raised because of it."""
    stop = threading.Event()

    def fail(_stop: threading.Event) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"), running("test", fail, stop):  # noqa: PT012
        assert stop.wait(20)
        raise KeyboardInterrupt


def test_child_is_asked_to_stop(tmp_path: Path) -> None:
    """At the end of the block the process gets SIGTERM and has ended."""
    said = tmp_path / "said"
    with child([sys.executable, "-c", FOLLOWER, str(said)]) as process:
        _wait_for(said, "ready")
    assert said.read_text() == "stopped"
    assert process.returncode == 0


def test_child_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process that ignores SIGTERM is ended for good."""
    monkeypatch.setattr(supervision, "FLUSH_S", 0.2)
    said = tmp_path / "said"
    code = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "open(sys.argv[1], 'w').write('ready'); time.sleep(60)"
    )
    with child([sys.executable, "-c", code, str(said)]) as process:
        _wait_for(said, "ready")
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("privileged", [True, False])
def test_child_ends_with_a_killed_parent(tmp_path: Path, privileged: bool) -> None:
    """However the parent ends, the child gets SIGTERM; also after it became another user."""
    if not privileged and os.geteuid() != 0:
        pytest.skip("only root can become another user")
    said = tmp_path / "said"
    drop = "" if privileged else "import os; os.setresuid(65534, 65534, 65534)"
    follower = FOLLOWER.replace("stop_with_parent()\n", f"stop_with_parent()\n{drop}\n")
    parent_code = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {follower!r}, {str(said)!r}], stdin=subprocess.PIPE)\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", parent_code], env=environment(), cwd=ROOT)
    try:
        _wait_for(said, "ready")
    finally:
        parent.kill()
        parent.wait()
    _wait_for(said, "stopped")


def test_first_start_that_fails_is_not_repeated(tmp_path: Path) -> None:
    """A process that ends at once is not started for ever."""
    count = tmp_path / "count"
    code = f"open({str(count)!r}, 'a').write('x'); raise SystemExit(1)"
    with pytest.raises(ChildProcessError) as caught:
        keep_running([sys.executable, "-c", code], threading.Event())
    assert caught.value.args == (1,)
    assert count.read_text() == "x"


def test_settled_process_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A process that had run and then died comes back, with a line that says so."""
    monkeypatch.setattr(supervision, "SETTLED_S", 0.0)
    count, stop = tmp_path / "count", threading.Event()
    code = f"import time; open({str(count)!r}, 'a').write('x'); time.sleep(0.05); raise SystemExit(7)"
    thread = threading.Thread(target=keep_running, args=([sys.executable, "-c", code], stop))
    thread.start()
    try:
        _wait_for(count, "xx")
    finally:
        stop.set()
        thread.join()
    assert "exit code 7" in capfd.readouterr().err
