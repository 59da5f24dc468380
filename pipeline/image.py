"""Compiled kernels linked into one file, which a process loads and calls without Numba.

Numba takes 0.3 s of CPU to import and most of another second to load kernels one by one; a small capture is
read in less. An `Image` names the entry kernels of a program. Once they are compiled, `pipeline.linking` puts
them, and every unit below them, into one object file; the next process maps that and calls it.

An image is kept under a digest of all that it is made from and of the processor, and holds a digest of its
own bytes: one that is damaged, of other sources or of another machine is not loaded but made anew. A call
with types that the image doesn't know goes through Numba, as all do where there is no image.
"""

import contextlib
import ctypes
import hashlib
import json
import logging
import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.bundle import Bundle, descriptor
from pipeline.kernels import ASKED, BOUNDS_CHECKED, CACHE, EntryKernel, program_fingerprint

logger = logging.getLogger("spanwatch.kernels")

#: First bytes of an image; the number is that of its format.
MAGIC = b"spanwatch image 1\n"
DIGEST_BYTES = 32

#: Sources that decide how an image is called and built.
LINKER = ("image.py", "linking.py", "bundle.py", "bundle_type.py")

#: What a kernel returns: nothing, a truth value, an integer; a tuple of so many integers is their number.
NOTHING, TRUTH, INTEGER = "nothing", "truth", "integer"
#: Words of the longest result.
RESULT_WORDS = 8
#: The first number that is too large for a word.
WORD_LIMIT = 1 << 63

#: A linked entry: status, zero if all is well, of (arguments, room for the result).
_Function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)

_dtypes: dict[np.dtype, str] = {}


def _processor() -> tuple[str, str]:
    """Name and features of the processor that is compiled for.

    That is this one, or what NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say by Numba's rules: code for `x86-64-v3`
    runs on every machine that has its instructions.
    """
    import llvmlite.binding as llvm

    name = os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES", "" if name == "generic" else None)
    return name, llvm.get_host_cpu_features().flatten() if features is None else features


def _dtype_text(dtype: np.dtype) -> str:
    text = _dtypes.get(dtype)
    if text is None:
        # Records and their arrays with attributes have equal types, which differ only in how they are shown.
        fields = [(name, _dtype_text(part[0]), part[1]) for name, part in (dtype.fields or {}).items()]
        whole = repr((fields, dtype.itemsize, dtype.isalignedstruct) if fields else dtype)
        text = _dtypes[dtype] = hashlib.blake2b(whole.encode(), digest_size=8).hexdigest()
    return text


def _array_kind(array: np.ndarray) -> str:
    flags = array.flags
    layout = "C" if flags.c_contiguous else "F" if flags.f_contiguous else "A"
    limits = ("" if flags.writeable else "r") + ("" if flags.aligned else "u")
    return f"{_dtype_text(array.dtype)}{array.ndim}{layout}{limits}"


def _bundle_kind(bundle: Bundle) -> str:
    kind = bundle.__dict__.get("_image_kind")
    if kind is None:
        parts = [f"{name}:{_array_kind(getattr(bundle, name))}" for name in type(bundle).__annotations__]
        digest = hashlib.blake2b(",".join(parts).encode(), digest_size=8)
        kind = bundle.__dict__["_image_kind"] = digest.hexdigest()
    return kind


def words_of(arguments: tuple[Any, ...]) -> tuple[str, list[int]] | None:
    """Types of the arguments as a text, and the words that stand for them; None where one has no such form.

    These are arrays, bundles, `bool`, `int` of 64 bits, and named tuples of these.
    """
    kinds: list[str] = []
    words: list[int] = []
    for value in arguments:
        if isinstance(value, np.ndarray):
            kinds.append(_array_kind(value))
            words += descriptor(value)
        elif isinstance(value, bool):
            kinds.append("?")
            words.append(value)
        elif isinstance(value, int) and -WORD_LIMIT <= value < WORD_LIMIT:
            kinds.append("i")
            words.append(value)
        elif isinstance(value, Bundle):
            kinds.append(_bundle_kind(value))
            words.append(value._address)
        elif isinstance(value, tuple):
            inner = words_of(value)
            if inner is None:
                return None
            kinds.append(f"{type(value).__name__}({inner[0]})")
            words += inner[1]
        else:
            return None
    return ",".join(kinds), words


def _flat(arguments: tuple[Any, ...]) -> list[Any]:
    values: list[Any] = []
    for value in arguments:
        if isinstance(value, tuple):
            values += _flat(value)
        else:
            values.append(value)
    return values


class _Call:
    """A linked call and the words of its arguments, which stay where the next call has the same arrays.

    A block of frames is a few microseconds of work for each word that need not be written again.
    """

    def __init__(self, function: Any, result: str, arguments: tuple[Any, ...], words: list[int]) -> None:
        self._function = function
        self._result = result
        self._block = (ctypes.c_int64 * len(words))(*words)
        self._out = (ctypes.c_int64 * RESULT_WORDS)()
        self._places = (ctypes.addressof(self._block), ctypes.addressof(self._out))
        self._known: list[tuple[Any, int]] = []
        """Of each argument a weak reference, or the class of a number and its place."""
        at = 0
        for value in _flat(arguments):
            if isinstance(value, np.ndarray):
                self._known.append((weakref.ref(value), -1))
                at += 5 + 2 * value.ndim
            else:
                self._known.append(
                    (weakref.ref(value), -1) if isinstance(value, Bundle) else (type(value), at)
                )
                at += 1

    def takes(self, arguments: tuple[Any, ...]) -> bool:
        """True if only numbers differ from the last arguments; they are written."""
        values = _flat(arguments)
        if len(values) != len(self._known):
            return False
        for (known, at), value in zip(self._known, values, strict=True):
            if at < 0:
                if known() is not value:
                    return False
            elif known is not value.__class__ or not -WORD_LIMIT <= value < WORD_LIMIT:
                return False
            else:
                self._block[at] = value
        return True

    def make(self) -> Any:
        """The result. Raises RuntimeError where the code says that something is wrong with it."""
        status = self._function(*self._places)
        if status != 0:
            raise RuntimeError(f"a linked kernel ended with status {status}")
        if self._result == INTEGER:
            return self._out[0]
        if self._result == TRUTH:
            return bool(self._out[0] & 1)
        return None if self._result == NOTHING else tuple(self._out[: int(self._result)])


class Image:
    """The entry kernels of a program, and what they were linked to."""

    def __init__(self, name: str, entries: tuple[Any, ...]) -> None:
        """`entries` are entry kernels; uncompiled, as plain functions, they stay what they are."""
        self.name = name
        self.entries = {
            f"{e.py_func.__module__}.{e.__name__}": e for e in entries if isinstance(e, EntryKernel)
        }
        self._names = {entry: entry_name for entry_name, entry in self.entries.items()}
        self._functions: dict[tuple[EntryKernel, str], tuple[Any, str]] = {}
        self._calls: dict[EntryKernel, _Call] = {}
        self._tried = False
        self._engine: Any = None
        self.called: dict[tuple[str, str], tuple[Any, ...]] = {}
        """Numba's types of the calls that went past the image, by entry and types; what to link."""
        for entry in self.entries.values():
            entry.image = self

    @property
    def path(self) -> Path:
        """Where the image of these sources stands, for a processor like this or the one asked for."""
        digest = hashlib.blake2b(" ".join(_processor()).encode(), digest_size=6)
        for source in LINKER:
            digest.update((Path(__file__).parent / source).read_bytes())
        program = program_fingerprint(tuple(self.entries.values()))
        return CACHE / f"{self.name}-{program}-{digest.hexdigest()}.image"

    def load(self) -> bool:
        """True if the image is there and sound; it is looked for once in a process."""
        if not self._tried and self.entries and not BOUNDS_CHECKED:
            self._tried = True
            path = self.path
            ASKED.add(path.stem)
            with contextlib.suppress(OSError):
                self._take(path.read_bytes())
        return bool(self._functions)

    def _take(self, data: bytes) -> None:
        at = len(MAGIC) + DIGEST_BYTES
        rest = memoryview(data)[at:]
        if data[:at] != MAGIC + hashlib.blake2b(rest, digest_size=DIGEST_BYTES).digest():
            return
        size = int.from_bytes(rest[:4], "little")
        calls = json.loads(bytes(rest[4 : 4 + size]))
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        engine.add_object_file(llvm.ObjectFileRef.from_data(bytes(rest[4 + size :])))
        engine.finalize_object()
        for name, kinds, symbol, result in calls:
            function = _Function(engine.get_function_address(symbol))
            self._functions[self.entries[name], kinds] = function, result
        # The code lives as long as its engine.
        self._engine = engine

    def save(self, calls: list[tuple[str, str, str, str]], code: bytes) -> None:
        """Keep an image: of each call the entry, its types, its symbol and its result. Raises OSError."""
        told = json.dumps(calls).encode()
        rest = len(told).to_bytes(4, "little") + told + code
        path = self.path
        ASKED.add(path.stem)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        try:
            fresh.write_bytes(MAGIC + hashlib.blake2b(rest, digest_size=DIGEST_BYTES).digest() + rest)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)

    def link(self) -> None:
        """Link the calls that were made past the image, and keep them for the next process.

        Where that can't be, the next process starts slowly as this one did, and a line says why.
        """
        if not self.called or BOUNDS_CHECKED:
            return
        from pipeline.linking import link

        try:
            link(self)
        except (OSError, RuntimeError) as error:
            logger.warning("compiled kernels are not kept linked, so that each start takes longer: %s", error)

    def call(self, entry: EntryKernel, arguments: tuple[Any, ...]) -> Any:
        """Call an entry. Raises RuntimeError where compiled code says that something is wrong with it."""
        # Taken out while it runs: another thread must not write into its words.
        call = self._calls.pop(entry, None)
        if call is None or not call.takes(arguments):
            told = words_of(arguments)
            if told is None or not self.load():
                return self._compiled(entry, arguments, told and told[0])
            kinds, words = told
            found = self._functions.get((entry, kinds))
            if found is None:
                return self._compiled(entry, arguments, kinds)
            call = _Call(*found, arguments, words)
        result = call.make()
        self._calls[entry] = call
        return result

    def _compiled(self, entry: EntryKernel, arguments: tuple[Any, ...], kinds: str | None) -> Any:
        result = entry.compiled_call(arguments)
        if kinds is not None and (call := (self._names[entry], kinds)) not in self.called:
            import numba

            self.called[call] = tuple(numba.typeof(value) for value in arguments)
        return result
