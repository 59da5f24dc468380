"""The command line: what it offers, exit codes, one line for each error."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from spanwatch import __version__
from spanwatch.cli import DONE, FAILED, USAGE, describe, main
from tests.spanwatch.program import environment, one_line, run


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` lists the commands of the design."""
    assert main(["--help"]) == DONE
    text = capsys.readouterr().out
    for command in (
        "demo", "up", "sensor", "worker", "serve", "replay", "read", "lookup", "lists", "policy", "token",
        "warm", "doctor", "bench",
    ):  # fmt: skip
        assert f"\n  {command} " in text


def test_help_does_not_load_the_rooms() -> None:
    """`--help` imports neither the compiler nor Arrow nor the database, which would take seconds."""
    code = (
        "import sys; from spanwatch.cli import main; main(['--help']); "
        "sys.exit(bool({'numba', 'pyarrow', 'chdb', 'fastapi', 'clickhouse_connect'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("arguments", [[], ["lists"], ["token"]])
def test_without_a_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command there is its help, as it is laid out, and exit code 2."""
    assert main(arguments) == USAGE
    output = capsys.readouterr()
    assert output.out.startswith("Usage:")
    assert len(output.out.splitlines()) > 5
    assert output.err == ""


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the installed version."""
    assert main(["--version"]) == DONE
    assert capsys.readouterr().out == f"spanwatch {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["read"], "Missing argument"),
        (["read", "--records", "cats", "-"], "cats"),
        (["serve", "--port", "70000"], "--port"),
        (["replay", "/nowhere/at/all.pcap"], "/nowhere/at/all.pcap"),
        (["read", "-", "-"], "twice"),
        (["--config", "/nowhere.toml", "serve"], "/nowhere.toml"),
        (["token", "create", "me", "--role", "king"], "king"),
        (["token", "revoke", "none"], "none"),
        (["lists", "check", "/nowhere.txt"], "/nowhere.txt"),
        (["policy", "check", "/nowhere.toml"], "/nowhere.toml"),
        (["up"], "--interface"),
        (["sensor", "--interface", "nonesuch0"], "nonesuch0"),
    ],
)
def test_wrong_usage(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage or configuration is exit code 2 and one line that names it and the mend."""
    assert main(["--state", str(tmp_path), *arguments]) == USAGE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("spanwatch: ")
    assert says in lines[0]
    assert ";" in lines[0]


def test_unknown_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown key in the settings file is refused, with file and key."""
    file = tmp_path / "spanwatch.toml"
    file.write_text("[sensor]\nflowz = 3\n")
    assert main(["--config", str(file), "worker"]) == USAGE
    line = capsys.readouterr().err
    assert str(file) in line
    assert "sensor.flowz" in line


def test_full_disk_has_a_mend() -> None:
    """An operating system's refusal names the file, the reason and the mend."""
    line, code = describe(OSError(errno.ENOSPC, "No space left on device", "/x/y"))
    assert line.startswith("/x/y: No space left on device; free some space")
    assert code == FAILED


def test_missing_server_packages() -> None:
    """A command whose packages are not installed says how to install them."""
    line, code = describe(ModuleNotFoundError("No module named 'chdb'", name="chdb"))
    assert "chdb" in line
    assert "make setup EXTRAS=server" in line
    assert code == USAGE


def test_unexpected_error_points_at_the_traceback() -> None:
    """What nobody expected says so, and how to see where it happened."""
    line, code = describe(ZeroDivisionError("division by zero"))
    assert "ZeroDivisionError" in line
    assert "SPANWATCH_DEBUG=1" in line
    assert code == FAILED


def test_error_is_one_line() -> None:
    """A message of several lines is printed as one."""
    assert "\n" not in describe(ValueError("a\n  b"))[0]
    assert "\n" not in describe(typer.BadParameter("a\n\tb"))[0]


def test_debug_prints_the_traceback(tmp_path: Path) -> None:
    """With SPANWATCH_DEBUG the traceback comes before the line."""
    done = run("--state", tmp_path, "replay", "/nowhere.pcap", env=environment(SPANWATCH_DEBUG="1"))
    assert b"Traceback" in done.stderr
    assert done.returncode == USAGE


def test_answers_at_once() -> None:
    """A usage error is told by a process that loads nothing heavy."""
    program = (
        "import sys\n"
        "from spanwatch.cli import main\n"
        "code = main(['replay', '/nowhere.pcap'])\n"
        "print(*{'numba', 'numpy', 'pyarrow', 'chdb', 'fastapi'} & set(sys.modules))\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, env=environment(), check=False
    )
    assert done.returncode == USAGE
    assert "/nowhere.pcap" in one_line(done)
    assert done.stdout.split() == []
