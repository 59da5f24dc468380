"""Linking compiled kernels into the object file of an image (`pipeline.image`)."""

import ctypes
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import types
from numba.core.registry import cpu_target

from pipeline.compiling import BOUND
from pipeline.image import INTEGER, NOTHING, RESULT_WORDS, TRUTH, Image

WORD = ir.IntType(64)


def link(image: Image) -> None:
    """Put every call that was made to the image's entries, and all units, into one file, and keep it.

    Raises OSError where it can't be written, RuntimeError where the code needs what only Numba has.
    """
    codegen = cpu_target.target_context.codegen()
    whole = llvm.parse_assembly("")
    whole.triple, whole.data_layout = llvm.get_process_triple(), str(codegen.target_data)
    for unit, made in BOUND.items():
        _add(whole, made, unit.symbol)
    calls = []
    for number, ((name, kinds), arguments) in enumerate(
        sorted(image.called.items(), key=lambda call: call[0])
    ):
        made = image.entries[name].dispatcher.overloads[arguments]
        inner, symbol = f"spanwatch.inner.{number}", f"spanwatch.entry.{number}"
        _add(whole, made, inner)
        text, result = _entry(made.signature, inner, symbol)
        module = llvm.parse_assembly(text)
        module.verify()
        whole.link_in(module)
        calls.append((name, kinds, symbol, result))
    whole.verify()
    _check(whole)
    image.save(calls, codegen._tm.emit_object(whole))


def _add(whole: Any, made: Any, symbol: str) -> None:
    """Take a compiled function, and what it calls, in under a symbol."""
    module = made.library._get_module_for_linking().clone()
    function = module.get_function(made.fndesc.llvm_func_name)
    function.name = symbol
    function.linkage = "external"
    whole.link_in(module)


def _entry(signature: Any, inner: str, symbol: str) -> tuple[str, str]:
    """Module with a function that loads the arguments of a call from words, and what the call returns."""
    context = cpu_target.target_context
    convention = context.call_conv
    module = ir.Module(symbol)
    place = ir.IntType(8).as_pointer()
    function = ir.Function(module, ir.FunctionType(ir.IntType(32), [place, place]), symbol)
    builder = ir.IRBuilder(function.append_basic_block())
    block, out = function.args
    values, at = [], 0
    for kind in signature.args:
        value, at = _loaded(builder, kind, block, at)
        values.append(value)
    callee = ir.Function(module, convention.get_function_type(signature.return_type, signature.args), inner)
    status, value = convention.call_function(builder, callee, signature.return_type, signature.args, values)
    kind = signature.return_type
    if isinstance(kind, types.Boolean):
        result = TRUTH
        value = builder.zext(context.get_value_as_data(builder, kind, value), WORD)
        builder.store(value, builder.bitcast(out, WORD.as_pointer()))
    elif kind == types.int64:
        result = INTEGER
        builder.store(value, builder.bitcast(out, WORD.as_pointer()))
    elif kind == types.none:
        result = NOTHING
    elif isinstance(kind, types.UniTuple) and kind.dtype == types.int64 and len(kind) <= RESULT_WORDS:
        result = str(len(kind))
        for number in range(len(kind)):
            where = builder.bitcast(builder.gep(out, [ir.Constant(WORD, 8 * number)]), WORD.as_pointer())
            builder.store(builder.extract_value(value, number), where)
    else:
        raise RuntimeError(f"{symbol} returns {kind}; an entry returns int64, a truth value or a few int64")
    builder.ret(status.code)
    return str(module), result


def _loaded(builder: Any, kind: Any, block: Any, at: int) -> tuple[Any, int]:
    """An argument loaded from the byte `at` of the words on, and the byte behind it."""
    context = cpu_target.target_context
    if isinstance(kind, types.BaseTuple):
        parts = []
        for part in kind:  # type: ignore[attr-defined]
            value, at = _loaded(builder, part, block, at)
            parts.append(value)
        return context.make_tuple(builder, kind, parts), at
    where = builder.gep(block, [ir.Constant(WORD, at)])
    if isinstance(kind, types.Boolean):
        word = builder.load(builder.bitcast(where, WORD.as_pointer()))
        return builder.trunc(word, ir.IntType(1)), at + 8
    layout = context.get_value_type(kind)
    value = builder.load(builder.bitcast(where, layout.as_pointer()))
    value.align = 8
    return value, at + context.get_abi_sizeof(layout)


def _check(whole: Any) -> None:
    """Raise RuntimeError for a function that a process without Numba does not have."""
    process = ctypes.CDLL(None)
    needed = [f.name for f in whole.functions if f.is_declaration and not f.name.startswith("llvm.")]
    missing = [name for name in needed if not hasattr(process, name)]
    if missing:
        raise RuntimeError(f"linked kernels would call what only Numba has: {', '.join(missing)}")
