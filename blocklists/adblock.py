"""Adblock rules that are about whole names: Adblock Plus filters, as AdGuard reads them for DNS."""

import re
from collections.abc import Iterator

from blocklists.entries import Said, Skipped
from blocklists.lines import hosts_line

#: Adblock options under which a rule is still about the whole name (Adblock Plus and AdGuard, "modifiers").
_WHOLE = frozenset(("important", "all", "document", "doc", "third-party", "3p", "popup", "dnsrewrite"))
#: What `$dnsrewrite` answers where it blocks; anything else sends the client somewhere.
_BLOCKING = frozenset(("", "nxdomain", "refused", "servfail", "0.0.0.0", "::", "127.0.0.1", "::1"))
_COSMETIC = re.compile(r"#[@?$%]*#")
#: hosts(5) takes any address; what stands in lists is one of these shapes.
_STARTS_WITH_ADDRESS = re.compile(r"[0-9a-fA-F:.]+(%\S+)?\s+\S")


def _partial(options: str) -> bool:
    """Whether Adblock options make a rule hold for some pages, clients or kinds of content only."""
    for option in options.lower().split(","):
        key, _, value = option.strip().partition("=")
        if key.lstrip("~") not in _WHOLE:
            return True
        if key == "dnsrewrite" and value.split(";")[0] not in _BLOCKING:
            return True
    return False


def adblock_rule(text: str) -> Iterator[Said]:
    """`||name^`, exceptions `@@||name^`, with or without `^`, `|name^` for the name alone.

    Rules about parts of pages are skipped. Lines of hosts files are read, too, as AdGuard does.
    """
    if text[0] == "!" or (text[0] == "[" and text[-1] == "]"):
        return
    if _COSMETIC.search(text):
        raise Skipped("a rule about a part of a page")
    if text[0] == "#":
        return
    if _STARTS_WITH_ADDRESS.match(text):
        yield from hosts_line(text)
        return
    exception = text.startswith("@@")
    rule = text.removeprefix("@@")
    if rule.startswith("/"):
        raise Skipped("a regular expression")
    rule, dollar, options = rule.partition("$")
    if dollar and _partial(options):
        raise Skipped("a rule for some pages or clients only")
    rule = rule.partition("#")[0].strip()
    anchored = rule.startswith("||")
    exact = rule.startswith("|") and not anchored
    name = rule.lstrip("|").removeprefix("*.").removesuffix("|").removesuffix("^")
    if any(c in name for c in "/*?:=&^|"):
        raise Skipped("a rule about a part of an address")
    if not anchored and not exact and (exception or "." not in name):
        raise Skipped("a rule about a part of an address")
    yield Said(name, exception, exact=exact)
