"""Headers on Kafka: ours come back, anybody else's are refused in one line."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import SCHEMAS
from pipeline.stream.kafka_headers import LARGEST, NAMES, NUMBERS, headers_of, message_of
from pipeline.stream.message import Message

GOOD = Message("gate", "b1", 7, "flows", 4, 10, 5, 9, b"payload", 1, 3)

NAME = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")),
    min_size=1,
    max_size=40,
)
NUMBER = st.integers(0, LARGEST)


def changed(**values: Any) -> list[tuple[str, bytes | None]]:
    """The headers of GOOD with these values; without those that are `...`."""
    headers = dict(headers_of(GOOD)) | values
    return [(name, value) for name, value in headers.items() if value is not ...]


@given(NAME, NAME, NUMBER, st.sampled_from(list(SCHEMAS)), NUMBER, st.integers(1, LARGEST), NUMBER, NUMBER)
def test_a_message_comes_back(
    sensor: str, boot: str, sequence: int, records: str, schema: int, rows: int, one: int, other: int
) -> None:
    """Every name and number of a message is in its headers, whatever they are."""
    first, last = sorted((one, other))
    sent = Message(sensor, boot, sequence, records, schema, rows, first, last, b"x", one, max(one + 1, 1))
    if sent.parts > LARGEST:
        sent = sent._replace(part=0, parts=1)
    assert message_of(headers_of(sent), b"x", records) == sent


def test_headers_of_others_are_passed_over() -> None:
    """Tracing and the like may be there, in any order and number."""
    headers = [("traceparent", b"\xff"), *reversed(headers_of(GOOD)), ("traceparent", None)]
    assert message_of(headers, GOOD.payload, "flows") == GOOD


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        *(({name: ...}, f"header {name} is missing") for name in (*NAMES, *NUMBERS)),
        *(({name: None}, f"header {name} has no value") for name in (*NAMES, *NUMBERS)),
        ({"sensor": b""}, "header sensor has 0 bytes"),
        ({"sensor": b"x" * 256}, "header sensor has 256 bytes"),
        ({"boot": b"\xff\xfe"}, "header boot is not UTF-8"),
        ({"sensor": b"a\nb"}, "header sensor holds control characters"),
        ({"sensor": "a\u202eb".encode()}, "header sensor holds control characters"),
        *(
            ({name: value}, f"header {name} is no number")
            for name in NUMBERS
            for value in (b"-1", b"", b"1.0", b"1e3", b" 1", b"1_0", "\u0663".encode(), b"9" * 19, b"9" * 999)
        ),
        ({"records": b"dns"}, "header records says 'dns' on the topic of flows"),
        ({"part": b"3"}, "contradict each other: part 3 of 3"),
        ({"parts": b"0"}, "contradict each other: part 1 of 0"),
        ({"first": b"10"}, "contradict each other: first 10, last 9"),
        ({"rows": b"0"}, "contradict each other: a part or a time, and no rows"),
    ],
)  # fmt: skip
def test_headers_that_cannot_be_are_refused(change: dict[str, Any], reason: str) -> None:
    """In one line that says which header, and why."""
    with pytest.raises(ValueError, match=reason) as caught:
        message_of(changed(**change), b"x", "flows")
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


def test_a_header_twice_is_refused() -> None:
    """Nobody could say which of them is meant."""
    with pytest.raises(ValueError, match="header sensor is there twice"):
        message_of([*headers_of(GOOD), ("sensor", b"other")], b"x", "flows")


def test_a_message_without_payload_is_refused() -> None:
    """What Kafka calls a tombstone is no message of ours."""
    with pytest.raises(ValueError, match="no payload"):
        message_of(headers_of(GOOD), None, "flows")


def test_an_unknown_kind_is_refused() -> None:
    """A topic of a newer version's kind of record."""
    with pytest.raises(ValueError, match="unknown kind"):
        message_of(changed(records=b"moods"), b"x", "moods")


@given(
    st.lists(
        st.tuples(
            st.sampled_from((*NAMES, *NUMBERS, "other")) | st.text(max_size=20),
            st.none() | st.binary(max_size=300) | st.integers(-5, 10).map(lambda n: str(n).encode()),
        ),
        max_size=30,
    ),
    st.booleans(),
)
def test_any_headers_give_a_message_or_one_line(headers: list[tuple[str, bytes | None]], ours: bool) -> None:
    """Nothing that may stand on a topic raises anything else, and what passes is within its bounds."""
    if ours:
        replaced = {name for name, _ in headers}
        headers = [*(pair for pair in headers_of(GOOD) if pair[0] not in replaced), *headers]
    message, line = None, ""
    try:
        message = message_of(headers, b"x", "flows")
    except ValueError as error:
        line = str(error)
    assert "\n" not in line
    assert bool(line) != bool(message)
    if message:
        assert 0 <= message.part < message.parts
        assert 0 <= message.first <= message.last <= LARGEST
        assert message.sensor.isprintable()
