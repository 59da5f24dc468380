"""The layout of a bundle as the compiler sees it."""

import numba
import numpy as np

from pipeline.bundle_type import BundleType


def test_offsets_follow_numbas_array_layout() -> None:
    """Each array takes five words, and one for shape and stride per dimension."""
    kind = BundleType(
        (
            ("a", numba.typeof(np.zeros(1))),
            ("b", numba.typeof(np.zeros((1, 1)))),
            ("c", numba.typeof(np.zeros(1))),
        )
    )
    assert [kind.offset(name) for name in "abc"] == [0, 56, 128]
