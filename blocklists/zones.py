"""Response policy zones: the zone file of RFC 1035, section 5, read for its policy triggers.

Triggers and actions: draft-vixie-dnsop-dns-rpz-00, sections 3 and 4.
"""

import ipaddress
import re
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from blocklists.entries import Entry, Problem, Said, Skipped, judged, text_lines
from blocklists.names import shown

#: Lines a record in parentheses may span; an SOA needs seven. Our default.
MAX_RECORD_LINES = 64

_CLASSES = frozenset(("IN", "CH", "HS", "CS"))
#: Record types that stand for an answer, so for a policy.
_ANSWERS = frozenset(("A", "AAAA", "CNAME", "DNAME", "TXT", "MX", "SRV", "PTR", "HTTPS", "SVCB", "CAA"))
#: Record types that a zone has for itself.
_OF_ZONE = frozenset(("SOA", "NS", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "DS"))
_TTL = re.compile(r"[0-9]+[smhdw]?([0-9]+[smhdw])*", re.IGNORECASE)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|;.*|[()]|(?:\\.|[^\s"();])+')
_TRIGGER = re.compile(r"(.*?)\.?(rpz-(?:ip|client-ip|nsdname|nsip))")


def _tokens(text: str) -> tuple[list[str], int]:
    """Words of a line without its comment, and by how many parentheses it opens more than it closes."""
    words, depth = [], 0
    for token in _TOKEN.findall(text):
        if token.startswith(";"):
            break
        if token in "()":
            depth += 1 if token == "(" else -1
        else:
            words.append(token)
    return words, depth


def _network(labels: list[str]) -> str:
    """The network of an `rpz-ip` trigger: prefix length, then the address backwards; `zz` is `::`."""
    prefix, *words = labels
    if len(words) == 4 and all(word.isdigit() for word in words):
        address = ".".join(reversed(words))
    else:
        address = ":".join(reversed(words)).replace("zz", "")
        address = ":" + address if address.startswith(":") and not address.startswith("::") else address
        address = address + ":" if address.endswith(":") and not address.endswith("::") else address
    try:
        return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))
    except ValueError:
        raise ValueError(f"{shown('.'.join(labels))} is no rpz-ip trigger") from None


class _Zone:
    """What was said so far: origin, the zone's own name, the owner of the record before."""

    def __init__(self) -> None:
        self.origin = ""
        """Absolute, without the trailing dot; empty as long as none is known."""
        self.rooted = False
        """`$ORIGIN .` was the last one."""
        self.apex = ""
        self.owner = ""

    def _absolute(self, owner: str) -> tuple[str, bool]:
        """The owner's name in full and whether that is known to be absolute."""
        if owner == "@":
            return self.origin, bool(self.origin)
        if owner.endswith("."):
            return owner.removesuffix("."), True
        if self.origin:
            return f"{owner}.{self.origin}", True
        return owner, self.rooted

    def _trigger(self, owner: str) -> str:
        """The owner's name inside the zone. Raises ValueError for one outside of it."""
        name, absolute = self._absolute(owner)
        apex = self.apex or self.origin
        if not absolute or not apex:
            return name
        if name == apex:
            return ""
        if not name.endswith("." + apex):
            raise ValueError(f"{shown(owner)} is outside of the zone {apex!r}")
        return name.removesuffix("." + apex)

    def record(self, words: list[str], indented: bool, _: str) -> Iterator[Said]:
        """What one record says. Raises ValueError and Skipped."""
        if words[0].startswith("$"):
            self._directive(words)
            return
        owner = self.owner if indented else words[0].lower()
        rest = words if indented else words[1:]
        while rest and (rest[0].upper() in _CLASSES or _TTL.fullmatch(rest[0])):
            rest = rest[1:]
        kind = rest[0].upper() if rest else ""
        if not owner or kind not in _ANSWERS | _OF_ZONE:
            raise ValueError(f"{shown(' '.join(words))} is no response policy; write name CNAME .")
        self.owner = owner
        if kind in _OF_ZONE:
            if kind == "SOA":
                self.apex = self._absolute(owner)[0] if self._absolute(owner)[1] else ""
            return
        if len(rest) < 2:
            raise ValueError(f"{shown(' '.join(words))} has no target")
        name = self._trigger(owner)
        if not name or name == "@":
            return
        yield self._policy(name, kind, rest[1].lower())

    def _directive(self, words: list[str]) -> None:
        directive = words[0].upper()
        if directive == "$ORIGIN" and len(words) > 1:
            origin = words[1].lower()
            self.rooted = origin == "."
            self.origin = self._absolute(origin)[0] if origin != "." else ""
        elif directive in ("$INCLUDE", "$GENERATE"):
            raise Skipped(f"{directive}, which is not followed")
        elif directive != "$TTL":
            raise ValueError(f"unknown directive {shown(words[0])}")

    def _policy(self, name: str, kind: str, target: str) -> Said:
        exception = False
        if kind == "CNAME":
            action = target.removesuffix(".").removesuffix("." + self.origin if self.origin else ".")
            if action == "rpz-tcp-only":
                raise Skipped("a policy that only asks for TCP")
            # A name that points to itself is how the first versions wrote rpz-passthru.
            exception = action in ("rpz-passthru", name)
        trigger = _TRIGGER.fullmatch(name)
        if trigger:
            if trigger[2] != "rpz-ip":
                raise Skipped(f"a trigger on {trigger[2].removeprefix('rpz-')}, not on what is asked for")
            return Said(_network(trigger[1].split(".")), exception)
        return Said(name.removeprefix("*."), exception, exact=not name.startswith("*."))


def read_zone(stream: BinaryIO) -> Iterator[Entry | Problem]:
    """Triggers on the name asked for and on addresses answered; `rpz-passthru` is an exception.

    A name without a star is listed alone, `*.name` with everything below it, as the draft has it.
    """
    zone = _Zone()
    lines = _indented_lines(stream)
    for item in lines:
        if isinstance(item, Problem):
            yield item
            continue
        number, text, indented = item
        words, depth = _tokens(text)
        spanned = 1
        problem = None
        while depth > 0 and problem is None:
            following = next(lines, None)
            spanned += 1
            if following is None or isinstance(following, Problem) or spanned > MAX_RECORD_LINES:
                what = f"a parenthesis that stays open for {spanned - 1} lines"
                problem = Problem(number, "refused", what, "close it", lines=spanned - 1)
            else:
                more, closed = _tokens(following[1])
                words += more
                depth += closed
        if problem is not None:
            yield problem
        elif words:
            yield from judged(number, text, partial(zone.record, words, indented))


def _indented_lines(stream: BinaryIO) -> Iterator[tuple[int, str, bool] | Problem]:
    """Lines, and whether each begins with white space: then its owner is that of the record before."""
    for item in text_lines(stream, strip=False):
        if isinstance(item, Problem):
            yield item
        elif item[1].strip():
            yield item[0], item[1].strip(), item[1][0].isspace()
