"""The cache of compiled code: one folder for one state of the sources."""

from pathlib import Path

import numpy as np
import pytest

from pipeline import kernels


def test_cache_is_named_after_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPANWATCH_CACHE says where; the folder's name is the digest of every kernel source."""
    monkeypatch.setenv("SPANWATCH_CACHE", str(tmp_path))
    assert kernels.cache_folder() == tmp_path / "spanwatch" / kernels.source_digest()


def test_digest_changes_with_any_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed kernel in any room gives another folder, so that no caller keeps an old callee."""
    before = kernels.source_digest()
    read = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: read(path) + (b"#" if path.name == "matcher.py" else b"")
    )
    assert kernels.source_digest() != before


def test_kernel_does_not_raise_on_zero() -> None:
    """A kernel never raises on input: a division by zero gives infinity, as in C."""
    assert _divide(6.0, 0.0) == float("inf")


@kernels.kernel
def _divide(a, b):  # type: ignore[no-untyped-def]
    return np.float64(a) / np.float64(b)
