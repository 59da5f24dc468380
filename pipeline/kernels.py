"""The decorators of compiled code, and where what they compiled is kept.

Numba's own cache notices a changed file, but not a changed callee in another file, and forgets a whole file
for one changed line. Here a compiled function is kept under a digest of what it is made from: its byte code
and that of every kernel that it calls, and the values of the constants that it names. So nothing stale can be
loaded, what did not change is never compiled again, and two checkouts share what is equal.
"""

import hashlib
import inspect
import os
import types as python_types
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from numba.core import caching, cgutils, types
from numba.core.dispatcher import Dispatcher
from numba.core.extending import _Intrinsic
from numba.extending import intrinsic


def cache_folder() -> Path:
    """Folder of the compiled code: `$SPANWATCH_CACHE`, else in the user's cache."""
    base = os.environ.get("SPANWATCH_CACHE") or os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base else Path.home() / ".cache"
    return root / "spanwatch" / "kernels"


CACHE = cache_folder()
#: Rooms whose sources hold kernels.
ROOMS = ("capture", "blocklists", "pipeline", "classifiers")


def source_digest() -> str:
    """Hex digest over the sources of all files that hold kernels, and Numba's version."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.blake2b(numba.__version__.encode(), digest_size=8)
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            text = path.read_bytes()
            if b"kernel" in text:
                digest.update(f"{path.relative_to(root)}\0".encode() + text)
    return digest.hexdigest()


#: What the bytes of a value that a kernel names are, for its digest; a function's are its name alone.
_PLAIN = (int, float, complex, str, bytes, bool, type(None), tuple, frozenset, np.generic, np.dtype)


def _value_bytes(value: Any, seen: dict[int, bytes]) -> bytes:
    if isinstance(unit := getattr(value, "unit", None), Unit):
        return f"unit {unit.symbol} {unit.parameters}".encode()
    if isinstance(value, Dispatcher):
        return _code_bytes(value.py_func, seen)
    if isinstance(value, _Intrinsic):
        return _code_bytes(value._defn, seen)
    if isinstance(value, np.ndarray):
        return repr((value.dtype, value.shape)).encode() + value.tobytes()
    if isinstance(value, _PLAIN):
        return repr(value).encode()
    return repr(getattr(value, "__name__", type(value))).encode()


def _names(code: python_types.CodeType) -> set[str]:
    """Global names that a function's code uses, those of functions inside it too."""
    inner = [const for const in code.co_consts if isinstance(const, python_types.CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _instructions(code: python_types.CodeType) -> bytes:
    """Byte code and plain constants of a function, without its docstring, and of those inside it."""
    inner = [const for const in code.co_consts if isinstance(const, python_types.CodeType)]
    plain = [const for const in code.co_consts[1:] if const not in inner]
    first = code.co_consts[0] if code.co_consts and not isinstance(code.co_consts[0], str) else None
    return (
        code.co_code + repr((code.co_varnames, first, plain)).encode() + b"".join(map(_instructions, inner))
    )


def _code_bytes(function: Any, seen: dict[int, bytes]) -> bytes:
    if id(function) in seen:
        return seen[id(function)]
    # One that calls itself, directly or through others, finds its name here.
    seen[id(function)] = function.__qualname__.encode()
    code = function.__code__
    digest = hashlib.blake2b(digest_size=16)
    how = getattr(function, "kernel_options", "")
    digest.update(repr((function.__module__, function.__qualname__, how)).encode() + _instructions(code))
    names = sorted(_names(code))
    for name in names:
        if name in function.__globals__:
            value = function.__globals__[name]
            digest.update(f"\0{name}\0".encode() + _value_bytes(value, seen))
            if isinstance(value, python_types.ModuleType) and value is not np:
                # `module.name` in a kernel.
                for part in names:
                    digest.update(_value_bytes(getattr(value, part, None), seen))
    for cell in function.__closure__ or ():
        digest.update(_value_bytes(cell.cell_contents, seen))
    seen[id(function)] = digest.digest()
    return digest.digest()


def fingerprint(function: Any) -> str:
    """Hex digest of all that the compiled form of a Python function depends on."""
    how = repr((numba.__version__, numba.config.BOUNDSCHECK)).encode()  # type: ignore[attr-defined]
    return hashlib.blake2b(how + _code_bytes(function, {}), digest_size=12).hexdigest()


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
    _impl_class = _Kept


#: How the names of the files begin that this process asked for.
ASKED: set[str] = set()


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


#: Kernels run as plain Python (NUMBA_DISABLE_JIT=1).
DISABLED = bool(numba.config.DISABLE_JIT)  # type: ignore[attr-defined]
#: Compile at first call, release the interpreter lock, divide like C.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def _kept(function: Any, **options: Any) -> Any:
    function.kernel_options = repr(options)
    compiled = numba.njit(**OPTIONS, **options)(function)
    if isinstance(compiled, Dispatcher):
        compiled._cache = _LateCache(function)  # type: ignore[attr-defined]
        if options.get("no_cpython_wrapper"):
            _refuse_python(compiled)
    return compiled


def _refuse_python(compiled: Any) -> None:
    """Let a call from Python end in an error: there is no code for it, and Numba would jump to nowhere."""

    def refuse(*_arguments: Any, **_named: Any) -> None:
        raise TypeError(
            f"{compiled.__name__} is called by kernels only; @entry_kernel is for what Python calls"
        )

    def keep(made: Any) -> None:
        compiled.overloads[tuple(made.signature.args)] = made

    compiled._compile_for_args = refuse
    compiled.add_overload = keep


def kernel(function: Any) -> Any:
    """A compiled function."""
    return _kept(function)


def entry_kernel(function: Any) -> Any:
    """Where Python enters the per-packet path. It only borrows arrays and allocates nothing, so it does
    without Numba's reference counts. They are atomic, and were half of the time of a packet
    (docs/performance.md).
    """
    return _kept(function, _nrt=False)


#: What only other kernels call needs no form that Python and C can call; those are a third of compiling.
INNER = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def packet_kernel(function: Any) -> Any:
    """Like `entry_kernel`, for what other kernels call; compiled, Python can't call it."""
    return _kept(function, **INNER)


def hot_kernel(function: Any) -> Any:
    """A packet kernel that is always compiled into its callers: what every packet passes.

    Left to itself the compiler calls the larger ones, and a call hands arrays over word by word.
    """
    return _kept(function, **INNER, forceinline=True)


def inline_kernel(function: Any) -> Any:
    """Like `kernel`, always inlined: for the few-line readers of a parser."""
    return _kept(function, inline="always")


#: Type of the bytes that a unit takes as `buf`.
OCTETS = types.Array(types.uint8, 1, "C")


class Unit:
    """A packet kernel that is compiled by itself and called through a symbol of the process.

    A packet kernel is compiled together with all that it calls, so that one function would hold every
    protocol and take minutes to compile, again for each change of any of them. A unit ends that: its callers
    know its symbol and its parameters alone. Those are typed by name: `table` is the table of the packet
    path, `buf` the bytes, everything else int64; it returns int64.
    """

    def __init__(self, function: Any) -> None:
        self.parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
        self.symbol = f"spanwatch.{function.__module__}.{function.__qualname__}"
        self.__name__ = function.__qualname__
        self.function = packet_kernel(function)
        self._bound: object = None

    def types(self, table: Any) -> tuple[Any, ...]:
        """Types of the parameters where the table is of type `table`."""
        named = {"table": table, "buf": OCTETS}
        return tuple(named.get(name, types.int64) for name in self.parameters)

    def bind(self, table: Any) -> None:
        """Compile, or load, for a table type, and give the symbol its address."""
        if self._bound == table:
            return
        if self._bound is not None:
            raise TypeError(f"{self.symbol} is bound to another type of table; one process has one")
        arguments = self.types(table)
        self.function.compile(types.int64(*arguments))
        made = self.function.overloads[arguments]
        address = made.library.get_pointer_to_function(made.fndesc.llvm_func_name)
        llvm.add_symbol(self.symbol, address)
        self._bound = table

    def signature(self, arguments: tuple[Any, ...]) -> Any:
        """The call's Numba signature for a caller that has `arguments`."""
        if len(arguments) != len(self.parameters):
            raise numba.TypingError(f"{self.symbol} takes {', '.join(self.parameters)}")
        table = arguments[self.parameters.index("table")] if "table" in self.parameters else None
        return types.int64(*self.types(table))

    def call(self, context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        """Lower a call through the symbol."""
        convention = context.call_conv
        kind = convention.get_function_type(signature.return_type, signature.args)
        callee = cgutils.get_or_insert_function(builder.module, kind, self.symbol)
        status, result = convention.call_function(
            builder, callee, signature.return_type, signature.args, arguments
        )
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return result


UNITS: list[Unit] = []


def unit_kernel(function: Any) -> Any:
    """A packet kernel as a `Unit`; in Python and in other kernels it is called like any other."""
    if DISABLED:
        return function
    unit = Unit(function)
    UNITS.append(unit)

    def typed(typing: Any, *arguments: Any) -> Any:
        return unit.signature(arguments), unit.call

    # Numba asks for the parameters by name.
    names = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in unit.parameters]
    typing = inspect.Parameter("typing", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    typed.__signature__ = inspect.Signature([typing, *names])  # type: ignore[attr-defined]
    callable_: Any = intrinsic(typed)
    callable_.unit = unit
    return callable_


def bind_units(table: Any) -> None:
    """Make every unit callable for this table; before the first kernel that calls one. Callees come first."""
    if not DISABLED:
        kind = numba.typeof(table)
        for unit in UNITS:
            unit.bind(kind)
