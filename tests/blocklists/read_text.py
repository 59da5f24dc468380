"""What the formats of one file make of a text."""

import io

from blocklists.entries import Entry, Problem
from blocklists.formats import FORMATS


def read(name, text):
    """Entries and problems of a text in a format."""
    return list(FORMATS[name](io.BytesIO(text if isinstance(text, bytes) else text.encode())))


def names(name, text):
    """Line and name of each entry that is no exception."""
    return [(i.line, i.name) for i in read(name, text) if isinstance(i, Entry) and not i.exception]


def problems(name, text):
    """Line and kind of each problem."""
    return [(item.line, item.kind) for item in read(name, text) if isinstance(item, Problem)]
