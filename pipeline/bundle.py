"""A named set of arrays that a kernel takes as one pointer.

Numba passes a tuple of arrays by value, seven words each, to every function that is not inlined; with
thirty arrays that is most of the time of a packet and of compiling. A `Bundle` lays the arrays' descriptors
into one block, and `bundle.name` in a kernel is a load from it. Uncompiled it is a plain object.

The bundle must outlive the call, and its arrays are fixed once it is made.
"""

import hashlib
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.core.imputils import impl_ret_borrowed, lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import NativeValue, models, register_model, typeof_impl, unbox


class BundleType(types.Type):
    """Type of a bundle: its arrays' names and types, in order."""

    def __init__(self, fields: tuple[tuple[str, types.Array], ...]) -> None:
        self.fields = fields
        self.by_name = dict(fields)
        super().__init__(name=f"Bundle({', '.join(f'{name}: {kind}' for name, kind in fields)})")

    @property
    def mangling_args(self) -> tuple[str, tuple[str, ...]]:
        """A short symbol name: the full one is thousands of characters."""
        return "Bundle", (hashlib.blake2b(self.name.encode(), digest_size=8).hexdigest(),)

    def offset(self, name: str) -> int:
        """Byte offset of a field's descriptor in the block."""
        words = 0
        for field, kind in self.fields:
            if field == name:
                break
            words += _words(kind.ndim)
        return words * 8


def _words(dimensions: int) -> int:
    # meminfo, parent, items, item size, data, then shape and strides (numba.np.arrayobj).
    return 5 + 2 * dimensions


class Bundle:
    """Base of a set of arrays; a subclass lists them as annotations."""

    def __init__(self, **arrays: np.ndarray) -> None:
        expected = list(type(self).__annotations__)
        if list(arrays) != expected:
            raise TypeError(f"{type(self).__name__} takes {', '.join(expected)}, in this order")
        block: list[int] = []
        fields = []
        for name, array in arrays.items():
            setattr(self, name, array)
            fields.append((name, numba.typeof(array)))
            data = array.ctypes.data
            block += [0, 0, array.size, array.itemsize, data, *array.shape, *array.strides]
        self._block = np.array(block, np.int64)
        self._address = int(self._block.ctypes.data)
        self._bundle_type = BundleType(tuple(fields))


@typeof_impl.register(Bundle)
def _type_of_bundle(value: Bundle, context: Any) -> BundleType:
    return value._bundle_type


@register_model(BundleType)
class _BundleModel(models.OpaqueModel):
    pass


@unbox(BundleType)
def _unbox_bundle(kind: BundleType, value: Any, c: Any) -> NativeValue:
    address = c.pyapi.object_getattr_string(value, "_address")
    pointer = c.pyapi.long_as_voidptr(address)
    c.pyapi.decref(address)
    return NativeValue(pointer)


@infer_getattr
class _BundleAttribute(AttributeTemplate):
    key = BundleType

    def generic_resolve(self, value: BundleType, attr: str) -> types.Type | None:  # type: ignore[override]
        return value.by_name.get(attr)


@lower_getattr_generic(BundleType)
def _load_descriptor(context: Any, builder: Any, kind: BundleType, value: Any, name: str) -> Any:
    array = kind.by_name[name]
    place = builder.gep(value, [context.get_constant(types.intp, kind.offset(name))])
    load = builder.load(builder.bitcast(place, context.get_value_type(array).as_pointer()))
    # The block never changes, so the descriptor may stay in registers across stores.
    load.set_metadata("invariant.load", builder.module.add_metadata([]))
    return impl_ret_borrowed(context, builder, array, load)
