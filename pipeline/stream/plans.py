"""What a worker has begun: partitions, the messages that wait here, and plans of portions.

A plan is written beside the offsets of its partitions, as text that anybody who may commit them may write.
"""

import json
from collections import deque
from typing import Any, NamedTuple

from pipeline.stream.message import Message

#: Bytes and messages of a partition that wait here at most, however few rows they have. Our default.
HELD_BYTES, HELD_MESSAGES = 16 << 20, 1_000
#: What Kafka keeps beside an offset by default (offset.metadata.max.bytes) is 4,096 bytes.
METADATA_BYTES = 4_000


class Item(NamedTuple):
    """A record of a partition: a message, or why it is none."""

    offset: int
    message: Message | None
    reason: str
    headers: list[tuple[str, bytes | None]]
    value: bytes | None
    came: float

    @property
    def rows(self) -> int:
        return self.message.rows if self.message else 0

    @property
    def size(self) -> int:
        return len(self.value or b"")


class Plan:
    """A portion that is begun: what it takes from where, and its token."""

    def __init__(self, token: str, ranges: dict[int, tuple[int, int]], dead: set[tuple[int, int]]) -> None:
        self.token = token
        self.ranges = ranges
        """Partition → first offset, and the one after the last."""
        self.dead = dead
        """Partition and offset of what was set aside."""

    def text(self) -> str:
        """As it is written beside an offset."""
        ranges = {str(partition): bounds for partition, bounds in sorted(self.ranges.items())}
        plan: dict[str, Any] = {"token": self.token, "ranges": ranges}
        full = json.dumps(plan | ({"dead": sorted(self.dead)} if self.dead else {}))
        return full if len(full) <= METADATA_BYTES else json.dumps(plan)


def read_plan(text: str, partition: int, offset: int) -> Plan | None:
    """The plan in the text beside an offset; None where there is none, or it is somebody else's text."""
    try:
        plan = json.loads(text)
        ranges = {int(key): (int(begin), int(end)) for key, (begin, end) in plan["ranges"].items()}
        dead = {(int(key), int(at)) for key, at in plan.get("dead", ())}
        token = str(plan["token"])
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    begin, end = ranges.get(partition, (offset, offset))
    return Plan(token, ranges, dead) if begin == offset < end else None


class Held:
    """A partition that this worker has."""

    def __init__(self, partition: int, offset: int, metadata: str) -> None:
        self.done = offset
        """Everything before it is in the store."""
        self.next = offset
        """Where the next record is expected."""
        self.items: deque[Item] = deque()
        self.rows = self.bytes = 0
        self.plan = read_plan(metadata, partition, offset)
        """Of the portion that is begun, here or by the worker before."""
        self.committed = (offset, metadata)

    def wanted(self) -> tuple[int, str]:
        """Offset and text that are to be committed now."""
        return self.done, self.plan.text() if self.plan else ""

    def add(self, item: Item) -> None:
        self.items.append(item)
        self.next = item.offset + 1
        self.rows += item.rows
        self.bytes += item.size

    def full(self, rows: int) -> bool:
        return self.rows >= rows or self.bytes >= HELD_BYTES or len(self.items) >= HELD_MESSAGES

    def take(self, end: int) -> list[Item]:
        """The items before that offset, which are gone from here."""
        taken: list[Item] = []
        while self.items and self.items[0].offset < end:
            item = self.items.popleft()
            self.rows -= item.rows
            self.bytes -= item.size
            taken.append(item)
        return taken
