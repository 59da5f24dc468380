"""Since when a list has named a name: carried over from one compiled file to the next.

Both hold their names reversed and sorted, so they are walked side by side, once, in bounded memory.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from blocklists.front import name_at
from pipeline.kernels import kernel

#: Versions that the number of a row can tell apart (uint16).
MOST_VERSIONS = 65_536


class Since(NamedTuple):
    """The version of the compiled lists from which on something has held without a break."""

    version: str
    at: int
    """When it was compiled (Unix time, s)."""
    or_earlier: bool
    """What was compiled before it could not be read any more."""


#: Of lists whose past nobody knows.
UNKNOWN = Since("", 0, True)


class Past(NamedTuple):
    """What a compiled file knows of its names, as far as the next one needs it."""

    versions: list[Since]
    lists: list[str]
    list_of: np.ndarray
    """int64: index into `lists` of each statement."""
    front: np.ndarray
    names: int
    start: np.ndarray
    said: np.ndarray
    since: np.ndarray
    """uint16: index into `versions` of each row."""
    networks: dict[tuple[str, int], int]
    """The same of each network and index of its list."""


def _none(kind: type, count: int = 0) -> np.ndarray:
    """Empty, or zeros; not to be written, as what a file holds: a kernel is compiled for one of both."""
    array: np.ndarray = np.zeros(count, kind)
    array.flags.writeable = False
    return array


NOTHING = Past(
    [],
    [],
    np.zeros(0, np.int64),
    _none(np.uint8),
    0,
    _none(np.uint32, 1),
    _none(np.uint16),
    _none(np.uint16),
    {},
)


@kernel
def _order(text, length, data, begin, end):
    """-1, 0 or 1: how text[:length] sorts to data[begin:end]."""
    for k in range(min(length, end - begin)):
        if text[k] != data[begin + k]:
            return -1 if text[k] < data[begin + k] else 1
    return 0 if length == end - begin else (-1 if length < end - begin else 1)


@kernel
def _carry(
    offsets, data, start, said, list_of,
    old_front, old_names, old_start, old_said, old_list_of, old_since,
    since, added, removed,
):  # fmt: skip
    """Fills since[row] from the old file, and counts the names that came to each list and left it.

    Name i of the new file is data[offsets[i]:offsets[i+1]] with rows start[i]:start[i+1]; a row's list is
    list_of[said[row]]. The old file's names are front-coded; old_list_of gives the number that the list has
    now, -1 where it is gone. A row that its list did not have before keeps what `since` holds. The rows of a
    list about one name follow each other.
    """
    text = np.zeros(512, np.uint8)
    seen = np.zeros(len(added), np.int64)
    kept = np.zeros(len(added), np.int64)
    value = np.zeros(len(added), np.uint16)
    names = len(start) - 1
    i = 0
    at = np.int64(0)
    for j in range(old_names):
        common, tail, at = name_at(old_front, at)
        for k in range(tail):
            text[common + k] = old_front[at + k]
        at += tail
        order = 1
        while i < names:
            order = _order(text, common + tail, data, np.int64(offsets[i]), np.int64(offsets[i + 1]))
            if order <= 0:
                break
            for row in range(start[i], start[i + 1]):
                listed = list_of[said[row]]
                added[listed] += row == start[i] or list_of[said[row - 1]] != listed
            i += 1
        same = i < names and order == 0
        begin, end = np.int64(old_start[j]), np.int64(old_start[j + 1])
        if same:
            for row in range(begin, end):
                listed = old_list_of[old_said[row]]
                if listed >= 0:
                    seen[listed] = j + 1
                    value[listed] = old_since[row]
            for row in range(start[i], start[i + 1]):
                listed = list_of[said[row]]
                if seen[listed] == j + 1:
                    kept[listed] = j + 1
                    since[row] = value[listed]
                else:
                    added[listed] += row == start[i] or list_of[said[row - 1]] != listed
            i += 1
        for row in range(begin, end):
            listed = old_list_of[old_said[row]]
            if listed >= 0 and kept[listed] != j + 1:
                removed[listed] += row == begin or old_list_of[old_said[row - 1]] != listed
    while i < names:
        for row in range(start[i], start[i + 1]):
            listed = list_of[said[row]]
            added[listed] += row == start[i] or list_of[said[row - 1]] != listed
        i += 1


def continued(
    past: Past,
    first: Since,
    lists: Sequence[str],
    list_of: np.ndarray,
    names: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    networks: Sequence[Sequence[tuple[str, int]]],
) -> tuple[dict[str, Any], np.ndarray]:
    """What is said of the past of a new file (JSON-ready), and each row's index into its versions.

    `names` are offsets, bytes, first row of each name, statement of each row; `networks` say for each row of
    the table of networks which network and list every statement about it is of. What is new is since `first`.
    """
    versions = [*past.versions, first]
    place = {name: number for number, name in enumerate(lists)}
    now = np.array([place.get(name, -1) for name in past.lists], np.int64)
    since = np.full(len(names[3]), len(versions) - 1, np.uint16)
    added, removed = np.zeros(len(lists), np.int64), np.zeros(len(lists), np.int64)
    _carry(
        *names, list_of, past.front, past.names, past.start, past.said, now[past.list_of], past.since,
        since, added, removed,
    )  # fmt: skip
    known = {(text, int(now[number])): at for (text, number), at in past.networks.items() if now[number] >= 0}
    told = {pair for row in networks for pair in row}
    for _, number in told - known.keys():
        added[number] += 1
    for _, number in known.keys() - told:
        removed[number] += 1
    of_networks = [[known.get(pair, len(versions) - 1) for pair in row] for row in networks]
    used = np.zeros(len(versions), np.bool_)
    used[-1] = True
    used[since] = True
    used[[at for row in of_networks for at in row]] = True
    # Where there are too many to tell apart, the oldest are told as the oldest that is kept.
    kept = np.flatnonzero(used)[-MOST_VERSIONS:]
    number_of = np.maximum(np.searchsorted(kept, np.arange(len(versions)), "right") - 1, 0).astype(np.uint16)
    history = {
        "versions": [versions[i] for i in kept.tolist()],
        "networks": [number_of[row].tolist() for row in of_networks],
        "changes": [added.tolist(), removed.tolist()],
    }
    return history, number_of[since]
