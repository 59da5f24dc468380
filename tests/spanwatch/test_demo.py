"""`spanwatch demo`: a folder of its own, the whole work, a link that works, a clean end."""

import json
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from pipeline.settings import Settings, StoreSettings
from spanwatch.cli import DONE, FAILED
from spanwatch.demo import CAPTURE, MARKER, demo_settings, fresh_state
from spanwatch.services import bind
from tests.spanwatch.program import COMMAND, environment, one_line, run


def test_settings_keep_the_old(tmp_path: Path) -> None:
    """The demo has its own state and store, whatever is configured."""
    settings = demo_settings(Settings(state=tmp_path, store=StoreSettings(dsn="http://elsewhere:8123/x")))
    assert settings.state == tmp_path / "demo"
    assert settings.store_dsn.startswith(f"chdb://{tmp_path}/demo")


def test_only_its_own_folder_is_emptied(tmp_path: Path) -> None:
    """A folder without the demo's mark is left as it is, with the mend."""
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="--state"), fresh_state(folder):
        pass
    assert (folder / "thesis.txt").exists()
    (folder / MARKER).write_text("")
    with fresh_state(folder):
        assert [path.name for path in folder.iterdir()] == [MARKER]


def test_one_demo_at_a_time(tmp_path: Path) -> None:
    """A folder that a running demo holds is not emptied under its feet."""
    with fresh_state(tmp_path / "demo"):
        (tmp_path / "demo" / "row").write_text("kept")
        with pytest.raises(OSError, match="another demo"), fresh_state(tmp_path / "demo"):
            pass
        assert (tmp_path / "demo" / "row").exists()


def test_port_in_use_is_told_before_the_work(tmp_path: Path) -> None:
    """A taken port is one line with the mend, and nothing was done yet."""
    with bind("127.0.0.1", 0) as held:
        done = run("--state", tmp_path, "demo", "--port", str(held.getsockname()[1]))
    assert done.returncode == FAILED
    assert "--port" in one_line(done)
    assert not (tmp_path / "demo").exists()


@pytest.mark.slow
def test_does_the_work(tmp_path: Path) -> None:
    """`--once` prints what the recorder of the capture counted, and is quiet on standard error in a pipe."""
    done = run("--state", tmp_path, "demo", "--once", "--port", "0")
    assert done.returncode == DONE, done.stderr
    assert done.stderr == b""
    frames = json.loads(CAPTURE.with_name("demo.truth.json").read_text("utf-8"))["counts"]["frames"]
    text = done.stdout.decode()
    assert f"packets    {frames:,}," in text
    for word in ("social_media", "streaming_video", "verdicts   ", "blocked", "rogue_dhcp", "top talkers"):
        assert word in text


@pytest.mark.slow
def test_serves_until_interrupted(tmp_path: Path) -> None:
    """The link works with its token and not without; Ctrl-C ends it with exit code 0."""
    process = subprocess.Popen(
        [*COMMAND, "--state", str(tmp_path), "demo", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        link = None
        while link is None and (line := process.stdout.readline()):
            link = re.match(r"(http://127\.0\.0\.1:\d+/)\?token=(\S+)", line)
        assert link is not None
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with browser.open(link.group(0), timeout=30) as page:
            assert page.status == 200
            assert b"spanwatch" in page.read()
        asked = urllib.request.Request(f"{link.group(1)}v1/findings")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(asked, timeout=30)
        assert refused.value.code == 401
        refused.value.close()
        asked.add_header("Authorization", f"Bearer {link.group(2)}")
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert json.load(answer)["rows"]
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert errors == ""
    assert process.returncode == DONE
