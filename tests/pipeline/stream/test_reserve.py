"""Room kept for making room."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from pipeline.stream.reserve import Reserve


def test_the_blocks_are_taken(tmp_path: Path) -> None:
    """The file is no hole: its blocks are the disk's, until it is given up."""
    reserve = Reserve(tmp_path / "reserve", 1 << 20)
    assert not reserve.there()
    reserve.keep()
    reserve.keep()
    assert reserve.there()
    assert os.stat(reserve.path).st_blocks * 512 >= 1 << 20
    reserve.give_up()
    reserve.give_up()
    assert not reserve.there()


def test_a_folder_that_cannot_be_written_has_none(tmp_path: Path) -> None:
    """Without the right to make the file there is no reserve, and no error."""
    (tmp_path / "file").write_text("")
    reserve = Reserve(tmp_path / "gone" / "reserve", 1 << 20)
    reserve.keep()
    assert not reserve.there()


@pytest.mark.service
def test_a_reserve_that_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    """A disk with less room than the reserve raises ENOSPC and keeps what room it has."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], check=True)
    try:
        reserve = Reserve(tmp_path / "reserve", 2 << 20)
        with pytest.raises(OSError, match="No space left") as caught:
            reserve.keep()
        assert caught.value.errno == errno.ENOSPC
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)
