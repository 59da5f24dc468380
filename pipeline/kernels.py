"""The one decorator of compiled code, and where its cache lives.

Numba's own cache notices a changed file, but not a changed *callee* in another file. The cache
folder is therefore named after a digest of every kernel source, so a stale caller can't be loaded.
"""

import hashlib
import os
from pathlib import Path

import numba

KERNEL_ROOMS = ("capture", "blocklists", "pipeline", "classifiers")


def source_digest() -> str:
    """Hex digest over the sources of the rooms that hold kernels, and numba's version."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.blake2b(numba.__version__.encode(), digest_size=8)
    for room in KERNEL_ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            text = path.read_bytes()
            if b"kernel" in text:
                digest.update(text)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Folder of the compiled code: `$SPANWATCH_CACHE` or the user's cache, then the source digest."""
    base = os.environ.get("SPANWATCH_CACHE") or os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base else Path.home() / ".cache"
    return root / "spanwatch" / source_digest()


CACHE = cache_folder()
numba.config.CACHE_DIR = str(CACHE)

#: Compile at first call, keep on disk, release the interpreter lock, divide like C.
kernel = numba.njit(cache=True, nogil=True, error_model="numpy")
#: The same, always inlined: for the few-line readers that every parser uses.
inline_kernel = numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
