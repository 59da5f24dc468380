"""Which lists were in force when: each version that classified rows is noted in the store."""

import time

import pyarrow as pa

from blocklists.matcher import Matcher
from pipeline.records import TEXT, TEXTS, TIME
from pipeline.store.client import Store

_LATEST = """
SELECT version, toUnixTimestamp64Micro(since) AS since FROM lists ORDER BY since DESC LIMIT 1
"""
_ROWS = pa.schema(
    [
        ("since", TIME), ("version", TEXT), ("list", TEXT), ("title", TEXT), ("categories", TEXTS),
        ("allow", pa.bool_()), ("url", TEXT), ("licence", TEXT), ("sha256", TEXT), ("entries", pa.uint64()),
        ("added", pa.uint64()), ("removed", pa.uint64()),
    ]
)  # fmt: skip


def note_lists(store: Store, matcher: Matcher) -> bool:
    """Writes that these lists are in force from now on; False where they are already.

    Safe to repeat. Raises OSError where the store can't be written to.
    """
    latest = store.rows(_LATEST)
    if latest and latest[0]["version"] == matcher.version:
        return False
    # After the last one, even where the clock was set back: versions keep their order.
    since = max(time.time_ns() // 1_000, latest[0]["since"] + 1 if latest else 0)
    rows = [
        {
            "since": since, "version": matcher.version, "list": source.name, "title": source.title,
            "categories": source.categories, "allow": source.allow, "url": source.url,
            "licence": source.licence, "sha256": source.sha256, "entries": source.entries,
            "added": source.added, "removed": source.removed,
        }
        for source in matcher.sources
    ]  # fmt: skip
    store.insert("lists", pa.RecordBatch.from_pylist(rows, _ROWS), f"{matcher.version}/{since}")
    return True
