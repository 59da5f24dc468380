"""Machine words of a byte array: what a kernel reads and copies most, each a few instructions.

Written as byte reads, a word costs several instructions a byte. Here a word is one unaligned load and one
swap, a copy is `memmove`. With NUMBA_BOUNDSCHECK=1 each call checks its bounds, as an index does; without,
the caller has done so.
"""

from typing import Any

import numpy as np

from pipeline.kernels import BOUNDS_CHECKED, DISABLED, Intrinsic


def _check(context: Any, builder: Any, array: Any, at: Any, size: Any) -> None:
    """Raise IndexError where `at` to `at + size` is not all inside, if bounds are checked at all."""
    if not BOUNDS_CHECKED:
        return
    from numba.core import cgutils

    behind = builder.add(at, size)
    outside = builder.or_(
        builder.icmp_signed("<", at, at.type(0)), builder.icmp_signed(">", behind, array.nitems)
    )
    with cgutils.if_unlikely(builder, outside):
        context.call_conv.return_user_exc(builder, IndexError, ("index is out of bounds",))


def _loader(octets: int, *, swapped: bool) -> Any:
    """Reader of an unsigned word of 1, 2, 4 or 8 octets as int64."""

    def load(typing: Any, buf: Any, at: Any) -> Any:
        from llvmlite import ir
        from numba.core import types

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            at = arguments[1]
            _check(context, builder, array, at, at.type(octets))
            kind = ir.IntType(8 * octets)
            place = builder.bitcast(builder.gep(array.data, [at]), kind.as_pointer())
            word = builder.load(place, align=1)
            if swapped and octets > 1:
                word = builder.bswap(word)
            return builder.zext(word, ir.IntType(64)) if octets < 8 else word

        return types.int64(buf, types.int64), code

    def plain(buf: np.ndarray, at: int) -> np.int64:
        if at < 0 or at + octets > len(buf):
            raise IndexError("index is out of bounds")
        word = int.from_bytes(buf[at : at + octets].tobytes(), "big" if swapped else "little")
        return np.int64(word - (1 << 64) if word >> 63 else word)

    return plain if DISABLED else Intrinsic(load)


#: Unsigned words in network order, as int64; the longest is the int64 of the same bits.
load_8, load_16, load_32, load_64 = (_loader(octets, swapped=True) for octets in (1, 2, 4, 8))
#: Words whose least octet comes first: the order of every machine that this runs on.
load_little_16, load_little_32 = (_loader(octets, swapped=False) for octets in (2, 4))
#: Eight bytes in the machine's order, for hashing and comparing.
load_native = _loader(8, swapped=False)


def _storer(octets: int, *, swapped: bool) -> Any:
    """Writer of the low 2, 4 or 8 octets of an int64."""

    def store(typing: Any, out: Any, at: Any, value: Any) -> Any:
        from llvmlite import ir
        from numba.core import types

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            at, word = arguments[1], arguments[2]
            _check(context, builder, array, at, at.type(octets))
            kind = ir.IntType(8 * octets)
            if octets < 8:
                word = builder.trunc(word, kind)
            if swapped:
                word = builder.bswap(word)
            place = builder.bitcast(builder.gep(array.data, [at]), kind.as_pointer())
            builder.store(word, place, align=1)
            return context.get_dummy_value()

        return types.void(out, types.int64, types.int64), code

    def plain(out: np.ndarray, at: int, value: int) -> None:
        if at < 0 or at + octets > len(out):
            raise IndexError("index is out of bounds")
        low = int(value) & ((1 << 8 * octets) - 1)
        out[at : at + octets] = list(low.to_bytes(octets, "big" if swapped else "little"))

    return plain if DISABLED else Intrinsic(store)


#: Words written in network order, and with the least octet first.
store_64 = _storer(8, swapped=True)
store_little_16, store_little_32, store_native = (_storer(octets, swapped=False) for octets in (2, 4, 8))


#: Bytes of a cache line.
LINE = 64


def _prefetch_compiled(typing: Any, array: Any, at: Any, octets: Any) -> Any:
    from llvmlite import ir
    from numba.core import cgutils, types

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = context.make_array(signature.args[0])(context, builder, arguments[0])
        octet = ir.IntType(8).as_pointer()
        place = builder.bitcast(builder.gep(whole.data, [arguments[1]]), octet)
        place = builder.gep(place, [arguments[2]])
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [octet, number, number, number])
        hint = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        # For reading and writing soon, into all caches, data.
        builder.call(hint, [place, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), code


def _prefetch_plain(array: np.ndarray, at: int, octets: int) -> None:
    pass


#: Ask for the cache line `octets` behind the beginning of `array[at]`; nothing is read, any place will do.
prefetch = _prefetch_plain if DISABLED else Intrinsic(_prefetch_compiled)


def _copy_compiled(typing: Any, out: Any, at: Any, buf: Any, start: Any, length: Any) -> Any:
    from numba.core import cgutils, types

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target = context.make_array(signature.args[0])(context, builder, arguments[0])
        source = context.make_array(signature.args[2])(context, builder, arguments[2])
        at, start, length = arguments[1], arguments[3], arguments[4]
        with builder.if_then(builder.icmp_signed(">", length, length.type(0))):
            _check(context, builder, target, at, length)
            _check(context, builder, source, start, length)
            cgutils.raw_memmove(
                builder, builder.gep(target.data, [at]), builder.gep(source.data, [start]), length, 1
            )
        return context.get_dummy_value()

    return types.void(out, types.int64, buf, types.int64, types.int64), code


def _copy_plain(out: np.ndarray, at: int, buf: np.ndarray, start: int, length: int) -> None:
    if length > 0:
        if at < 0 or start < 0 or at + length > len(out) or start + length > len(buf):
            raise IndexError("index is out of bounds")
        out[at : at + length] = buf[start : start + length].copy()


#: Copy `length` bytes of `buf` from `start` to `out` at `at`; the two may overlap, none or fewer is nothing.
copy = _copy_plain if DISABLED else Intrinsic(_copy_compiled)
