"""Options found by their kind, absent ones and cut ones."""

import numpy as np
import pytest

from capture.protocols.options import find_option

pytestmark = pytest.mark.uncompiled

OPTIONS = b"\xff\xff\0\x01\0\x02ab\0\x02\0\0\x01\0\0\x03cde\0\x01\0\x01f"


@pytest.mark.parametrize(
    ("wanted", "end", "place"),
    [
        (1, 24, (6, 8)),
        (2, 23, (12, 12)),
        (0x100, 23, (16, 19)),
        (3, 23, (-1, -1)),
        (0x100, 19, (16, 19)),
        (0x100, 18, (-1, -1)),
        (0x100, 15, (-1, -1)),
        (1, 8, (6, 8)),
        (1, 7, (-1, -1)),
    ],
)
def test_options(wanted: int, end: int, place: tuple[int, int]) -> None:
    """The first of its kind is found if it is whole; nothing behind the end is read."""
    assert find_option(np.frombuffer(OPTIONS[:end], np.uint8), 2, end, wanted) == place


def test_behind_what_is_absent() -> None:
    """In what was not found nothing is found."""
    assert find_option(np.frombuffer(OPTIONS, np.uint8), -1, 23, 1) == (-1, -1)
