"""Domain names as lists write them, made into the one form the matcher knows."""

import re
from pathlib import Path

#: RFC 1035, section 2.3.4: octets of a name without the trailing dot, and of a label.
MAX_NAME, MAX_LABEL = 253, 63

_PLAIN = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
)
_ADDRESS = re.compile(r"[0-9.]+$|.*:")

#: Suffixes of two labels under which the public registers names (registries' own conventions).
SUFFIXES = frozenset(
    line
    for line in (Path(__file__).parent / "data" / "public_suffixes.txt").read_text("ascii").split()
    if not line.startswith("#")
)


class WholeSuffixError(ValueError):
    """A name under which everybody registers names: listing it would list them all."""


class AddressError(ValueError):
    """An address where a name was expected."""


def normal_name(text: str) -> str:
    """The name in lower case, IDN in punycode (RFC 3490), without the trailing dot.

    Raises ValueError with the reason for what is no name of at least two labels, as its subclasses
    WholeSuffixError for a public suffix and AddressError for an address.
    """
    name = text.strip().lower().removesuffix(".")
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            raise ValueError(f"{_shown(text)} is no valid international name") from None
    if not _PLAIN.match(name):
        if not name:
            raise ValueError("the name is empty")
        if len(name) <= MAX_LABEL and re.fullmatch(r"[a-z0-9-]+", name):
            raise WholeSuffixError(f"{name!r} is a whole top-level domain")
        if _ADDRESS.match(name):
            raise AddressError(f"{_shown(text)} is an address, not a name")
        raise ValueError(f"{_shown(text)} is no domain name")
    if name in SUFFIXES:
        raise WholeSuffixError(f"{name!r} is a public suffix: everybody registers names below it")
    if name[-1].isdigit() and _ADDRESS.match(name):
        raise AddressError(f"{name!r} is an address, not a name")
    return name


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
