"""Public suffixes: names below which everybody may have a name, so that listing one lists them all.

The data is that of publicsuffix.org, as the package `publicsuffixlist` ships it. It is loaded when the
first name is asked about, which a sensor never does.
"""

from functools import cache

from publicsuffixlist import PublicSuffixList


@cache
def _rules(registries: bool) -> PublicSuffixList:
    """The rules of registries alone, or with those of companies that give names to customers."""
    return PublicSuffixList(only_icann=registries)


def is_public(name: str) -> bool:
    """Whether a name in normal form is a public suffix, by any rule: plain, wildcard or exception.

    A top-level domain without a rule is one, too (publicsuffix.org, "Algorithm").
    """
    return _rules(False).is_public(name)


def is_registry(name: str) -> bool:
    """Whether a public suffix is a registry's (`co.uk`), not a company's for its customers (`github.io`)."""
    return _rules(True).is_public(name)
