"""Lock files."""

import os

import pytest

from pipeline.lock_file import hold


def test_one_holder_at_a_time(tmp_path):
    """Whoever comes second is told who was first; when that one closes the file it is free."""
    path = tmp_path / "lock"
    with open(path, "a+") as first, open(path, "a+") as second:
        hold(first, str)
        with pytest.raises(OSError, match=f"^process {os.getpid()}$"):
            hold(second, lambda holder: f"process {holder}")
        first.close()
        hold(second, str)
    assert path.read_text() == str(os.getpid())
