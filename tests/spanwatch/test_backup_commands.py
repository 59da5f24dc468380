"""`backup` and `restore` as a user calls them."""

from pathlib import Path

import pytest

from pipeline.settings import load_settings
from spanwatch.cli import DONE, FAILED, USAGE, main
from spanwatch.services import open_parts

Captured = pytest.CaptureFixture[str]


def test_a_backup_goes_into_a_file_and_out_of_it(tmp_path: Path, capsys: Captured) -> None:
    """The file has its name only when it is whole; a second restore into the same folder is refused."""
    settings = load_settings(state=tmp_path / "a")
    with open_parts(settings):
        pass
    file = tmp_path / "out" / "backup.tar"
    assert main(["--state", str(tmp_path / "a"), "backup", str(file)]) == USAGE
    file.parent.mkdir()
    assert main(["--state", str(tmp_path / "a"), "backup", str(file)]) == DONE
    assert [path.name for path in file.parent.iterdir()] == ["backup.tar"]
    assert "saved" in capsys.readouterr().err
    assert main(["--state", str(tmp_path / "b"), "restore", str(file)]) == DONE
    assert "restored" in capsys.readouterr().out
    assert main(["--state", str(tmp_path / "b"), "restore", str(file)]) == FAILED
    assert "is there already" in capsys.readouterr().err
    file.write_bytes(file.read_bytes()[:5_000])
    assert main(["--state", str(tmp_path / "c"), "restore", str(file)]) == FAILED
