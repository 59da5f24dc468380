"""Ranges of event time that the detectors have yet to look at."""

from collections.abc import Iterable

#: Ranges closer than this are one, µs: a detector's windows reach further back anyway. Our default.
GAP_US = 3_600_000_000


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges in order of time, those that overlap or lie within `GAP_US` of each other as one.

    Yesterday's capture beside today's traffic gives two short ranges, not all the time in between.
    """
    result: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if result and first - result[-1][1] <= GAP_US:
            result[-1] = (result[-1][0], max(result[-1][1], last))
        else:
            result.append((first, last))
    return result
