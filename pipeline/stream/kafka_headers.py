"""A message's headers on Kafka, written and read. Anybody who may write to a topic may write anything."""

import re
from collections.abc import Iterable

from pipeline.records import SCHEMAS
from pipeline.stream.message import Message

#: Bytes of a name at most; our default.
NAME_BYTES = 255
NAMES = ("sensor", "boot", "records")
NUMBERS = ("sequence", "part", "parts", "schema", "rows", "first", "last")
#: Numbers are decimal, and below 2 to the 63rd: 19 digits.
NUMBER = re.compile(rb"[0-9]{1,19}", re.ASCII)
LARGEST = (1 << 63) - 1


def headers_of(message: Message) -> list[tuple[str, bytes]]:
    """All of the message but its payload, as UTF-8 text."""
    return [(name, str(getattr(message, name)).encode()) for name in (*NAMES, *NUMBERS)]


def message_of(headers: Iterable[tuple[str, bytes | None]], payload: bytes | None, records: str) -> Message:
    """The message with these headers, of the kind of record whose topic it came from.

    Headers that are not ours are passed over. Raises ValueError in one line where one of ours is missing,
    repeated, not UTF-8, too long, out of range, or contradicts another.
    """
    found: dict[str, bytes] = {}
    for name, value in headers:
        if name not in NAMES and name not in NUMBERS:
            continue
        if name in found:
            raise ValueError(f"header {name} is there twice")
        if value is None:
            raise ValueError(f"header {name} has no value")
        found[name] = value
    if payload is None:
        raise ValueError("it has no payload")
    names = {name: _text(name, found) for name in NAMES}
    numbers = {name: _number(name, found) for name in NUMBERS}
    if names["records"] != records:
        raise ValueError(f"header records says {names['records']!r} on the topic of {records}")
    if records not in SCHEMAS:
        raise ValueError(f"unknown kind of record {records!r}")
    if numbers["part"] >= numbers["parts"]:
        raise ValueError(f"headers contradict each other: part {numbers['part']} of {numbers['parts']}")
    if numbers["first"] > numbers["last"]:
        raise ValueError(f"headers contradict each other: first {numbers['first']}, last {numbers['last']}")
    if not numbers["rows"] and (numbers["parts"] > 1 or numbers["last"]):
        raise ValueError("headers contradict each other: a part or a time, and no rows")
    return Message(**names, **numbers, payload=payload)  # type: ignore[arg-type]


def _value(name: str, found: dict[str, bytes]) -> bytes:
    if name not in found:
        raise ValueError(f"header {name} is missing")
    return found[name]


def _text(name: str, found: dict[str, bytes]) -> str:
    value = _value(name, found)
    if not 0 < len(value) <= NAME_BYTES:
        raise ValueError(f"header {name} has {len(value)} bytes, not 1 to {NAME_BYTES}")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise ValueError(f"header {name} is not UTF-8") from None
    if not text.isprintable():
        raise ValueError(f"header {name} holds control characters")
    return text


def _number(name: str, found: dict[str, bytes]) -> int:
    value = _value(name, found)
    if NUMBER.fullmatch(value) is None or int(value) > LARGEST:
        raise ValueError(f"header {name} is no number from 0 to {LARGEST}")
    return int(value)
