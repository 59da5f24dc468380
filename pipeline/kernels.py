"""The decorators of compiled code, and where what they compiled is kept.

Numba's own cache notices a changed file, but not a changed callee in another file, and forgets a whole file
for one changed line. Here a compiled function is kept under a digest of what it is made from: its byte code
and that of every kernel that it calls, and the values of the constants that it names. So nothing stale can be
loaded, what did not change is never compiled again, and two checkouts share what is equal.

Nothing here imports Numba, which takes longer than many a capture: a kernel is a plain object until its first
call. What Numba makes of it is in `pipeline.compiling`; all kernels of a sensor linked into one file, which
needs no Numba, in `pipeline.image`.
"""

import hashlib
import inspect
import os
import threading
import types as python_types
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pipeline.image import Image


def cache_folder() -> Path:
    """Folder of the compiled code: `$SPANWATCH_CACHE`, else in the user's cache; without home, the host's."""
    base = os.environ.get("SPANWATCH_CACHE") or os.environ.get("XDG_CACHE_HOME")
    try:
        root = Path(base) if base else Path.home() / ".cache"
    except RuntimeError:
        # A number without an account, as in a container.
        root = Path("/var/cache")
    return root / "spanwatch" / "kernels"


CACHE = cache_folder()
#: Rooms whose sources hold kernels.
ROOMS = ("capture", "blocklists", "pipeline", "classifiers")


def source_digest() -> str:
    """Hex digest over the sources of all files that hold kernels, and Numba's version."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.blake2b(version("numba").encode(), digest_size=8)
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            text = path.read_bytes()
            if b"kernel" in text:
                digest.update(f"{path.relative_to(root)}\0".encode() + text)
    return digest.hexdigest()


#: Number of the way in which `pipeline.compiling` has Numba compile: what another way made is not loaded.
HOW = 2

#: What the bytes of a value that a kernel names are, for its digest; a function's are its name alone.
_PLAIN = (int, float, complex, str, bytes, bool, type(None), tuple, frozenset, np.generic, np.dtype)


#: Kernels run as plain Python.
DISABLED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
#: Compiled code raises IndexError where it would read or write outside of an array.
BOUNDS_CHECKED = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")


def _value_bytes(value: Any, seen: dict[int, bytes], units: "list[Unit] | None") -> bytes:
    if isinstance(value, Unit):
        if units is not None and value not in units:
            units.append(value)
        return f"unit {value.symbol} {value.parameters}".encode()
    if isinstance(value, Kernel):
        return _code_bytes(value.py_func, seen, units)
    if isinstance(value, Intrinsic):
        return _code_bytes(value.definition, seen, units)
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


def _code_bytes(function: Any, seen: dict[int, bytes], units: "list[Unit] | None") -> bytes:
    """Digest of a function and of all that it calls; the units that it calls are put into `units`."""
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
            digest.update(f"\0{name}\0".encode() + _value_bytes(value, seen, units))
            if isinstance(value, python_types.ModuleType) and value is not np:
                # `module.name` in a kernel.
                for part in names:
                    digest.update(_value_bytes(getattr(value, part, None), seen, units))
    for cell in function.__closure__ or ():
        digest.update(_value_bytes(cell.cell_contents, seen, units))
    seen[id(function)] = digest.digest()
    return digest.digest()


def _compiler_bytes() -> bytes:
    return repr((version("numba"), BOUNDS_CHECKED, HOW)).encode()


def fingerprint(function: Any) -> str:
    """Hex digest of all that the compiled form of a Python function depends on."""
    return hashlib.blake2b(_compiler_bytes() + _code_bytes(function, {}, None), digest_size=12).hexdigest()


def program_fingerprint(kernels: "tuple[Kernel, ...]") -> str:
    """Hex digest of all that these kernels and every unit below them depend on when linked together.

    The compiler's own settings (`NUMBA_*`) are part of it.
    """
    seen: dict[int, bytes] = {}
    units: list[Unit] = []
    asked = sorted((name, value) for name, value in os.environ.items() if name.startswith("NUMBA_"))
    digest = hashlib.blake2b(_compiler_bytes() + repr((version("llvmlite"), asked)).encode(), digest_size=12)
    for kernel_ in kernels:
        digest.update(_code_bytes(kernel_.py_func, seen, units))
    # The list grows while it is worked through.
    for unit in units:
        digest.update(unit.symbol.encode() + _code_bytes(unit.kernel.py_func, seen, units))
    return digest.hexdigest()


#: How the names of the files begin that this process asked for.
ASKED: set[str] = set()
#: Compile at first call, release the interpreter lock, divide like C.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


class Kernel:
    """A function that Numba compiles when it is first called, or called by one that is compiled."""

    def __init__(self, function: Any, **options: Any) -> None:
        function.kernel_options = repr(options)
        self.py_func = function
        self.options = options
        self.targetoptions = options
        """What Numba looks at where a kernel is to be put into its caller."""
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__

    @cached_property
    def dispatcher(self) -> Any:
        """Numba's form of it."""
        from pipeline.compiling import compiled

        return compiled(self.py_func, self.options)

    @property
    def _numba_type_(self) -> Any:
        return self.dispatcher._numba_type_

    def __call__(self, *arguments: Any) -> Any:
        return self.dispatcher(*arguments)

    @property
    def signatures(self) -> list[Any]:
        """Types of the arguments that it was compiled for in this process."""
        return self.dispatcher.signatures


class EntryKernel(Kernel):
    """A kernel that Python calls: in the linked image if one holds it, else through Numba."""

    def __init__(self, function: Any, **options: Any) -> None:
        super().__init__(function, **options)
        self.image: Image | None = None

    def __call__(self, *arguments: Any) -> Any:
        if self.image is not None:
            return self.image.call(self, arguments)
        return self.compiled_call(arguments)

    def compiled_call(self, arguments: tuple[Any, ...]) -> Any:
        """Call it through Numba, which compiles it or takes it from the cache."""
        _bind_waiting()
        return self.dispatcher(*arguments)


def _decorated(kind: type[Kernel], function: Any, **options: Any) -> Any:
    return function if DISABLED else kind(function, **options)


def kernel(function: Any) -> Any:
    """A compiled function."""
    return _decorated(Kernel, function)


def entry_kernel(function: Any) -> Any:
    """Where Python enters the per-packet path. It only borrows arrays and allocates nothing, so it does
    without Numba's reference counts. They are atomic, and were half of the time of a packet
    (docs/performance.md).
    """
    return _decorated(EntryKernel, function, _nrt=False)


#: What only other kernels call needs no form that Python and C can call; those are a third of compiling.
INNER = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def packet_kernel(function: Any) -> Any:
    """Like `entry_kernel`, for what other kernels call; compiled, Python can't call it."""
    return _decorated(Kernel, function, **INNER)


def hot_kernel(function: Any) -> Any:
    """A packet kernel that is always compiled into its callers: what every packet passes.

    Left to itself the compiler calls the larger ones, and a call hands arrays over word by word.
    """
    return _decorated(Kernel, function, **INNER, forceinline=True)


def inline_kernel(function: Any) -> Any:
    """Like `kernel`, always inlined: for the few-line readers of a parser."""
    return _decorated(Kernel, function, inline="always")


class Intrinsic:
    """Machine code written by hand, for kernels: `definition(typing, …)` as `numba.extending.intrinsic`."""

    def __init__(self, definition: Any) -> None:
        self.definition = definition
        self.__name__ = definition.__name__

    @cached_property
    def _numba_type_(self) -> Any:
        from pipeline.compiling import intrinsic_type

        return intrinsic_type(self.definition)


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
        self.__doc__ = function.__doc__
        self.kernel = Kernel(function, **INNER)

    @cached_property
    def _numba_type_(self) -> Any:
        from pipeline.compiling import intrinsic_type, unit_call

        call = unit_call(self)

        def typed(typing: Any, *arguments: Any) -> Any:
            return call(arguments)

        # Numba asks for the parameters by name.
        named = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in self.parameters]
        typing = inspect.Parameter("typing", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        typed.__signature__ = inspect.Signature([typing, *named])  # type: ignore[attr-defined]
        return intrinsic_type(typed)


UNITS: list[Unit] = []


def unit_kernel(function: Any) -> Any:
    """A packet kernel as a `Unit`; in Python and in other kernels it is called like any other."""
    if DISABLED:
        return function
    unit = Unit(function)
    UNITS.append(unit)
    return unit


_waiting: list[Callable[[], None]] = []
#: Held while units are bound: a kernel that another thread compiles meanwhile would find no symbol.
_binding = threading.RLock()


def bind_units(table: Any) -> None:
    """Make every unit callable for tables of this type; it happens before Numba's first call of a kernel.

    A linked image has its own.
    """
    if DISABLED:
        return

    def bind() -> None:
        from pipeline.compiling import bind_all

        bind_all(table)

    _waiting[:] = [bind]


def _bind_waiting() -> None:
    with _binding:
        while _waiting:
            _waiting.pop()()
