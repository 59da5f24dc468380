"""A named set of arrays that a kernel takes as one pointer.

Numba passes a tuple of arrays by value, seven words each, to every function that is not inlined; with
thirty arrays that is most of the time of a packet and of compiling. A `Bundle` lays the arrays' descriptors
into one block, and `bundle.name` in a kernel is a load from it. Uncompiled it is a plain object.

The bundle must outlive the call, and its arrays are fixed once it is made.
"""

from functools import cached_property
from typing import Any

import numpy as np


def descriptor(array: np.ndarray) -> list[int]:
    """The words of an array as compiled code takes it (numba.np.arrayobj).

    Who counts its references (nobody), parent, items, bytes of an item, address, then shape and strides.
    """
    address = array.__array_interface__["data"][0]
    return [0, 0, array.size, array.itemsize, address, *array.shape, *array.strides]


class Bundle:
    """Base of a set of arrays; a subclass lists them as annotations."""

    def __init__(self, **arrays: np.ndarray) -> None:
        expected = list(type(self).__annotations__)
        if list(arrays) != expected:
            raise TypeError(f"{type(self).__name__} takes {', '.join(expected)}, in this order")
        block: list[int] = []
        for name, array in arrays.items():
            setattr(self, name, array)
            block += descriptor(array)
        self._block = np.array(block, np.int64)
        self._address = int(self._block.ctypes.data)

    @cached_property
    def _numba_type_(self) -> Any:
        from numba import typeof

        from pipeline.bundle_type import BundleType

        return BundleType(tuple((name, typeof(getattr(self, name))) for name in type(self).__annotations__))
