"""What the compiler knows of bundles; imported when a kernel that takes one is compiled."""

import hashlib
from typing import Any

from numba.core import types
from numba.core.imputils import impl_ret_borrowed, lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import NativeValue, models, register_model, unbox


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
    # As `pipeline.bundle.descriptor` writes them.
    return 5 + 2 * dimensions


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
