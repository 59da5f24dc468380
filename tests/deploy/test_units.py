"""The units: systemd reads them, they start commands that exist, and give as little away as can be."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from spanwatch.cli import app
from tests.deploy.composed import DEPLOY

UNITS = sorted(path.name for path in DEPLOY.glob("*.service"))
#: Most exposed that a unit may be, of 10 (systemd.exec(5) by `systemd-analyze security`). Our default.
EXPOSED = 2.0


def started(text: str) -> list[str]:
    """Words behind the program's name in its ExecStart."""
    found = re.search(r"^ExecStart=/opt/spanwatch/\.venv/bin/spanwatch (.+)$", text, re.MULTILINE)
    assert found is not None
    return found[1].split()


@pytest.mark.parametrize("unit", UNITS)
def test_commands_exist(unit: str) -> None:
    """The command line of each service is one that the program takes."""
    words = started((DEPLOY / unit).read_text("utf-8"))
    command = typer.main.get_command(app)
    given: set[str] = set()
    while words:
        word = words.pop(0)
        if word.startswith("-"):
            options = {option: parameter for parameter in command.params for option in parameter.opts}
            negative = {option for parameter in command.params for option in parameter.secondary_opts}
            assert word in options or word in negative, word
            given.add(word)
            if word in options and not getattr(options[word], "is_flag", False):
                words.pop(0)
        else:
            command = command.commands[word]  # type: ignore[attr-defined]
    assert not hasattr(command, "commands")


@pytest.mark.parametrize("unit", UNITS)
def test_folders_and_documents(unit: str) -> None:
    """Each runs as the same user, keeps its state where the settings look, and names pages that exist."""
    text = (DEPLOY / unit).read_text("utf-8")
    assert "User=spanwatch\nGroup=spanwatch\n" in text
    assert re.search(r"^StateDirectory=spanwatch( spanwatch/worker-%i)?$", text, re.MULTILINE)
    assert "StateDirectoryMode=0750" in text
    for page in re.findall(r"docs/\S+\.md", text):
        assert (DEPLOY.parent / page).exists(), page


def test_workers_have_a_state_each() -> None:
    """The worker's template names its instance in its state folder and in nothing else that would collide."""
    text = (DEPLOY / "spanwatch-worker@.service").read_text("utf-8")
    assert started(text) == ["--state", "/var/lib/spanwatch/worker-%i", "worker"]
    assert "StateDirectory=spanwatch spanwatch/worker-%i" in text


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("unit", [*UNITS, "spanwatch-lists.timer"])
def test_systemd_reads_them(unit: str, tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say about our lines."""
    name = unit.replace("@.", "@1.")
    for file in (*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer")):
        text = file.read_text("utf-8")
        for absent in re.findall(r"^ExecStart=(\S+)", text, re.MULTILINE):
            text = text.replace(absent, "/bin/true")
        # The page is looked for where it will be installed.
        text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
        (tmp_path / file.name.replace("@.", "@1.")).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / name],
        capture_output=True,
        text=True,
        check=False,
    )
    about = [line for line in done.stderr.splitlines() if "spanwatch" in line]
    assert about == []


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS)
def test_little_is_exposed(unit: str) -> None:
    """`systemd-analyze security` finds every unit well below what it calls fine."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={int(10 * EXPOSED)}",
         DEPLOY / unit], capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd can't judge a file")
    assert done.returncode == 0, done.stdout.splitlines()[-1:]
    text = (DEPLOY / unit).read_text("utf-8")
    wanted = "CAP_NET_RAW" if "sensor" in unit else ""
    assert f"CapabilityBoundingSet={wanted}\n" in text
    assert ("AmbientCapabilities=" in text) == bool(wanted)
