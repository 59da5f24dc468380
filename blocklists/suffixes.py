"""Public suffixes: names below which everybody may have a name, so that listing one lists them all.

The data is that of publicsuffix.org, as the package `publicsuffixlist` ships it. It is loaded when the
first name is asked about, which a sensor never does.
"""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


@cache
def _rules(registries: bool) -> "PublicSuffixList":
    """The rules of registries alone, or with those of companies that give names to customers."""
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(only_icann=registries)


@cache
def _written() -> tuple[frozenset[str], frozenset[str]]:
    """Names that rules are about, and those of them right of a star."""
    rules: frozenset[str] = _rules(False)._publicsuffix
    starred = frozenset(rule[2:] for rule in rules if rule.startswith("*."))
    return rules | starred, starred


def is_public(name: str) -> bool:
    """Whether a name in normal form is a public suffix, by any rule: plain, wildcard or exception.

    A top-level domain without a rule is one, too (publicsuffix.org, "Algorithm").
    """
    # Of a million names few are written in a rule: all others are answered by two look-ups.
    names, starred = _written()
    _, dot, above = name.partition(".")
    return (not dot or name in names or above in starred) and _rules(False).is_public(name)


def is_registry(name: str) -> bool:
    """Whether a public suffix is a registry's (`co.uk`), not a company's for its customers (`github.io`)."""
    return _rules(True).is_public(name)
