"""What the tests of the capture room share: kernels that wrap around, tests for uncompiled kernels alone."""

from collections.abc import Iterator

import numba
import numpy as np
import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "uncompiled: calls kernels one by one; test_uncompiled.py runs it")
    config.addinivalue_line("markers", "compiled: thousands of frames, which take too long uncompiled")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Compiling each kernel for its own test would take minutes: those tests run without the compiler."""
    other = "compiled" if numba.config.DISABLE_JIT else "uncompiled"
    left_out = [item for item in items if item.get_closest_marker(other)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker(other)]


@pytest.fixture(autouse=True, scope="session")
def wrap_around() -> Iterator[None]:
    """Compiled kernels wrap around without a word; uncompiled ones, which hash the same way, warn."""
    with np.errstate(over="ignore"):
        yield
