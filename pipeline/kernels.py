"""The one decorator of compiled code, and where its cache lives.

Numba's own cache notices a changed file, but not a changed *callee* in another file. The cache
folder is therefore named after a digest of every kernel source, so a stale caller can't be loaded.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import numba

KERNEL_ROOMS = ("capture", "blocklists", "pipeline", "classifiers")


def source_digest() -> str:
    """Hex digest over the sources of the rooms that hold kernels, and numba's version.

    Path and modification time count too: Numba compiles anew where one of them differs.
    """
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.blake2b(numba.__version__.encode(), digest_size=8)
    for room in KERNEL_ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            text = path.read_bytes()
            if b"kernel" in text:
                digest.update(f"{path}\0{path.stat().st_mtime_ns}\0".encode())
                digest.update(text)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Folder of the compiled code: `$SPANWATCH_CACHE` or the user's cache, then the source digest."""
    base = os.environ.get("SPANWATCH_CACHE") or os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base else Path.home() / ".cache"
    return root / "spanwatch" / source_digest()


CACHE = cache_folder()
numba.config.CACHE_DIR = str(CACHE)  # type: ignore[attr-defined]

#: Compile at first call, keep on disk, release the interpreter lock, divide like C.
OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}

kernel = numba.njit(**OPTIONS)
#: The same for the per-packet path: it only borrows arrays and allocates nothing, so it does without Numba's
#: reference counts. They are atomic, and were half of the time of a packet (docs/performance.md).
packet_kernel = numba.njit(**OPTIONS, _nrt=False)  # type: ignore[call-overload]
#: Like `kernel`, always inlined: for the few-line readers of a parser.
inline_kernel = numba.njit(**OPTIONS, inline="always")
