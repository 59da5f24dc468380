"""Domain names as lists write them, made into the one form the matcher knows."""

import re

#: RFC 1035, section 2.3.4: octets of a name without the trailing dot, and of a label.
MAX_NAME, MAX_LABEL = 253, 63
#: Characters of a written name that are looked at: a name of the DNS can't be made from more.
_MAX_WRITTEN = 1_024

#: Names of hosts, with what browsers resolve besides: `_` anywhere, `-` at the ends of labels that no
#: registry gives out.
_PLAIN = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9_-]{1,63}\.)*"
    r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
)
_ADDRESS = re.compile(r"[0-9.]+(?:/[0-9]+)?$|.*:")
_ONE_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class WholeSuffixError(ValueError):
    """A name under which everybody registers names: listing it would list them all."""


class AddressError(ValueError):
    """An address where a name was expected."""


def normal_name(text: str) -> str:
    """The name in lower case, IDN in punycode, without the trailing dot.

    International names are mapped as browsers do it (UTS 46, non-transitional), so that a list and a
    client mean the same name: `straße.example` is `xn--strae-oqa.example`, not `strasse.example` as in
    IDNA 2003, and a symbol that IDNA 2008 alone would refuse is kept.

    Raises ValueError with the reason for what is no name of at least two labels, as its subclasses
    WholeSuffixError for a top-level domain and AddressError for an address.
    """
    name = text.strip().lower().removesuffix(".")
    if not name.isascii():
        name = _punycode(name, text)
    if not _PLAIN.match(name):
        if not name:
            raise ValueError("the name is empty")
        if name.isdigit():
            raise AddressError(f"{shown(text)} is a number, not a name")
        if _ONE_LABEL.fullmatch(name):
            raise WholeSuffixError(f"{name!r} is a whole top-level domain")
        if _ADDRESS.match(name):
            raise AddressError(f"{shown(text)} is an address, not a name")
        raise ValueError(f"{shown(text)} is no domain name")
    if name[-1].isdigit() and _ADDRESS.match(name):
        raise AddressError(f"{name!r} is an address, not a name")
    return name


def _punycode(name: str, written: str) -> str:
    """The name with each international label as `xn--` and punycode (RFC 3492). Raises ValueError."""
    import idna

    try:
        written.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{shown(written)} is not UTF-8 text") from None
    try:
        if len(name) > _MAX_WRITTEN:
            raise UnicodeError
        labels = idna.uts46_remap(name, std3_rules=False, transitional=False).removesuffix(".").split(".")
        return ".".join(
            label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
            for label in labels
        )
    except UnicodeError:
        raise ValueError(f"{shown(written)} is no valid international name") from None


def shown(text: str) -> str:
    """The text for a message: quoted, printable, cut short."""
    return repr(text if len(text) <= 60 else text[:57] + "…")
