"""What can be linked, and what is refused."""

import logging

import numpy as np
import pytest

from pipeline import kernels
from pipeline.image import Image

pytestmark = pytest.mark.skipif(kernels.DISABLED or kernels.BOUNDS_CHECKED, reason="is about linked kernels")


@kernels.entry_kernel
def share(number):
    """A result that is no integer."""
    return number / 3


@kernels.kernel
def allocating(count):
    """Memory of the compiler's own."""
    return len(np.zeros(count)) + count


def test_what_can_not_be_linked_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """An entry with a result of another kind works, is not kept, and a line says why."""
    image = Image("test-linking", (share,))
    try:
        assert share(6) == 2.0
        with caplog.at_level(logging.WARNING):
            image.link()
        assert "returns float64" in caplog.text
        assert not image.path.exists()
        assert share(9) == 3.0
    finally:
        share.image = None


def test_only_entries_are_linked() -> None:
    """A kernel of another kind stays with the compiler."""
    assert Image("test-linking", (allocating,)).entries == {}
    assert allocating(3) == 6
