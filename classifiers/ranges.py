"""Ranges of event time in statements over tables that are sorted by the hour first."""

import re

#: Behind the last second that a DateTime holds (2106-02-07T06:28:15Z), s since 1970: of a later moment
#: some servers say that its hour is the last they have, some that it is one of the past.
END_S = 1 << 32
#: A moment as statements bound a range by it.
_BOUND = (
    r"\{\w+:DateTime64\(6, 'UTC'\)\}"
    r"(?: [-+] (?:toInterval(?:Second|Day)\(\{\w+:UInt32\}\)|INTERVAL \d+ [A-Z]+\b))*"
)
_RANGE = re.compile(
    rf"((?:\b\w+\.)?\b(?:start|ts|window_start)) >= ({_BOUND})\s+AND \1 <=? ({_BOUND})(?!\s*(?:[+*/]|-(?!-)))"
)
_HOUR = re.compile(rf"\btoStartOfHour\(({_BOUND})\)")


def hourly(sql: str) -> str:
    """The statement with the hours of each range: a bound on the time alone does not use the sort by hour.

    No bound's hour is before 1970: servers count it on from the end, 2106 (ClickHouse 25.8 does, 26.9 not).
    """
    ranged = _RANGE.sub(
        r"\g<0> AND toStartOfHour(\1) >= toStartOfHour(\2) AND toStartOfHour(\1) <= toStartOfHour(\3)", sql
    )
    return _HOUR.sub(r"toStartOfHour(greatest(\1, toDateTime64(0, 6, 'UTC')))", ranged)
