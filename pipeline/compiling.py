"""What Numba makes of kernels, units and intrinsics: imported when the first of them has to be compiled."""

import contextlib
import logging
import pickle
from collections.abc import Callable
from typing import Any, Self

import llvmlite.binding as llvm
import numba
from numba.core import caching, cgutils, event, types
from numba.core.dispatcher import Dispatcher
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from numba.np import arrayobj

from pipeline.kernels import ASKED, CACHE, OPTIONS, UNITS, Unit, fingerprint

logger = logging.getLogger("spanwatch.kernels")


class _Locator(caching._CacheLocator):
    """Tells Numba to keep a function in `CACHE` under its fingerprint."""

    def __init__(self, function: Any) -> None:
        self._fingerprint = fingerprint(function)

    def get_cache_path(self) -> str:
        return str(CACHE)

    def get_source_stamp(self) -> str:
        return self._fingerprint

    def get_disambiguator(self) -> str:
        return self._fingerprint

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "_Locator":
        return cls(py_func)


class _Kept(caching.CompileResultCacheImpl):
    _locator_classes = (_Locator,)  # type: ignore[assignment]


class _Cache(caching.FunctionCache):
    """Numba's, which ends the program over a folder that is read-only or full, or a file that was cut off.

    Here what can't be read is compiled anew, and what can't be written is not kept.
    """

    _impl_class = _Kept
    _told = False

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function for these types, None where there is none."""
        try:
            return super().load_overload(sig, target_context)
        except OSError:
            return None
        except (EOFError, pickle.UnpicklingError):
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            if not _Cache._told:
                _Cache._told = True
                logger.warning("compiled kernels are not kept, so that each start compiles them: %s", error)


class _LateCache:
    """Numba's cache of one function, made when it is first asked: only then all callees are defined."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self._made: _Cache | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = _Cache(self._function)
            ASKED.add(self._made._impl.filename_base)
        return getattr(self._made, name)


def _as_it_is(context: Any, builder: Any, kind: Any, index: Any, _size: Any) -> Any:
    return context.cast(builder, index, kind, types.intp)


# In Python an index below zero counts from the end, for which each access has three instructions, a tenth of
# a packet's. Kernels never count from the end; with NUMBA_BOUNDSCHECK=1 such an index is an IndexError. This
# holds for all that Numba compiles in this process, NumPy's functions inside of kernels too.
arrayobj.fix_integer_index = _as_it_is


def compiled(function: Any, options: dict[str, Any]) -> Dispatcher:
    """Numba's dispatcher of a kernel, with the cache of this project."""
    made: Any = numba.njit(**OPTIONS, **options)(function)
    made._cache = _LateCache(function)
    if options.get("no_cpython_wrapper"):
        _refuse_python(made)
    return made


def _refuse_python(dispatcher: Any) -> None:
    """Let a call from Python end in an error: there is no code for it, and Numba would jump to nowhere."""

    def refuse(*_arguments: Any, **_named: Any) -> None:
        raise TypeError(
            f"{dispatcher.__name__} is called by kernels only; @entry_kernel is for what Python calls"
        )

    def keep(made: Any) -> None:
        dispatcher.overloads[tuple(made.signature.args)] = made

    dispatcher._compile_for_args = refuse
    dispatcher.add_overload = keep


def intrinsic_type(definition: Any) -> Any:
    """Numba's type of an intrinsic."""
    made = intrinsic(definition)
    context = cpu_target.typing_context
    context.refresh()
    return context.resolve_value_type(made)


#: Type of the bytes that a unit takes as `buf`.
OCTETS = types.Array(types.uint8, 1, "C")


def unit_types(unit: Unit, table: Any) -> tuple[Any, ...]:
    """Types of a unit's parameters where the table is of type `table`."""
    named = {"table": table, "buf": OCTETS}
    return tuple(named.get(name, types.int64) for name in unit.parameters)


def unit_call(unit: Unit) -> Callable[[tuple[Any, ...]], tuple[Any, Any]]:
    """A function that gives the signature and the lowering of a call with arguments of given types."""

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        """A call through the symbol."""
        convention = context.call_conv
        kind = convention.get_function_type(signature.return_type, signature.args)
        callee = cgutils.get_or_insert_function(builder.module, kind, unit.symbol)
        status, result = convention.call_function(
            builder, callee, signature.return_type, signature.args, arguments
        )
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return result

    def typed(arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        if len(arguments) != len(unit.parameters):
            raise numba.TypingError(f"{unit.symbol} takes {', '.join(unit.parameters)}")
        table = arguments[unit.parameters.index("table")] if "table" in unit.parameters else None
        return types.int64(*unit_types(unit, table)), lower

    return typed


#: What each unit was compiled to, in the order of their binding: callees first.
BOUND: dict[Unit, Any] = {}
_tables: list[Any] = []


def bind_all(table: Any) -> None:
    """Compile, or load, every unit for the type of a table, and give its symbol its address.

    Raises TypeError where they were bound to tables of another type.
    """
    kind = numba.typeof(table)
    if _tables and _tables != [kind]:
        raise TypeError("the units are bound to another type of table; one process has one")
    _tables[:] = [kind]
    for unit in UNITS:
        if unit in BOUND:
            continue
        arguments = unit_types(unit, kind)
        dispatcher = unit.kernel.dispatcher
        dispatcher.compile(types.int64(*arguments))
        made = dispatcher.overloads[arguments]
        address = made.library.get_pointer_to_function(made.fndesc.llvm_func_name)
        llvm.add_symbol(unit.symbol, address)
        BOUND[unit] = made


class Compilations(event.Listener):
    """While it is entered: counts what is compiled, and tells each by a line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._listening: Any = None
        self.count = 0

    def on_start(self, happened: Any) -> None:
        self.count += 1
        name = happened.data["dispatcher"].py_func.__name__
        self._say(f"compiling the kernels, once for this version: {self.count}, {name}")

    def on_end(self, happened: Any) -> None:
        pass

    def __enter__(self) -> Self:
        self._listening = event.install_listener("numba:compile", self)
        self._listening.__enter__()
        return self

    def __exit__(self, *trouble: Any) -> None:
        self._listening.__exit__(*trouble)
