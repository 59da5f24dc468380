"""What every source of messages must do, whatever is behind it: inherit `SourceContract`, give `Way`s."""

from contextlib import AbstractContextManager
from typing import Protocol

import pytest

from pipeline.stream.message import Message
from pipeline.stream.source import Portion, Source
from tests.pipeline.batches import message

#: Seconds without anything after which nothing more is expected.
QUIET_S = 5.0
KINDS = ("flows", "dns", "sightings", "health")


class Way(Protocol):
    """A way with two ends: messages go in, sources take them out."""

    def send(self, messages: list[Message]) -> None: ...

    def opened(self) -> AbstractContextManager[Source]:
        """A source as a worker of this name opens it; the next one is that worker started again."""

    def dead(self) -> list[tuple[Message, str]]:
        """Those set aside, with the reasons."""


def taken(source: Source, messages: int) -> list[Portion]:
    """Portions given until they hold so many messages; they are not acknowledged."""
    portions: list[Portion] = []
    for _ in range(100):
        given = source.take(QUIET_S)
        seen = {portion.token for portion in portions}
        portions += [portion for portion in given if portion.token not in seen]
        if sum(len(portion.messages) for portion in portions) >= messages:
            return portions
    pytest.fail(f"only {names(portions)} came")


def names(portions: list[Portion]) -> list[str]:
    return sorted(message.token for portion in portions for message in portion.messages)


class SourceContract:
    """What every source does. A subclass has the fixture `way`, a `Way` to its source."""

    def test_messages_come_as_they_went(self, way: Way) -> None:
        """Headers and payload, one kind to a portion, each with the place where it is."""
        sent = [message(KINDS[n % 4], 5, n) for n in range(8)]
        way.send(sent)
        with way.opened() as source:
            portions = taken(source, 8)
        got = [one for portion in portions for one in portion.messages]
        assert sorted(got) == sorted(sent)
        for portion in portions:
            assert {one.records for one in portion.messages} == {portion.records}
            assert len(portion.places) == len(portion.messages)
            assert list(portion.places) == sorted(set(portion.places))
        assert len({portion.token for portion in portions}) == len(portions)

    def test_what_is_not_acknowledged_comes_again_the_same(self, way: Way) -> None:
        """To the same worker, and to the one after it: the same portions, so that tokens mean something."""
        sent = [message("flows", 5, n) for n in range(6)]
        way.send(sent)
        with way.opened() as source:
            first = taken(source, 6)
            assert taken(source, 6) == first
        way.send([message("flows", 5, n) for n in range(6, 9)])
        with way.opened() as source:
            again = taken(source, 6)
        assert again[: len(first)] == first

    def test_what_is_acknowledged_never_comes_again(self, way: Way) -> None:
        """One portion after the other, across workers, until nothing is left."""
        way.send([message("dns", 5, n) for n in range(4)])
        with way.opened() as source:
            done = taken(source, 4)
            for portion in done:
                source.acknowledge(portion)
        way.send([message("dns", 5, n) for n in range(4, 6)])
        with way.opened() as source:
            rest = taken(source, 2)
            assert names(rest) == ["gate/b1/4", "gate/b1/5"]
            for portion in rest:
                source.acknowledge(portion)
            assert source.take(0.2) == []
            assert source.waiting().messages == 0

    def test_a_part_done_leaves_the_rest(self, way: Way) -> None:
        """A worker that ends between two portions leaves exactly those it did not acknowledge."""
        way.send([message(kind, 5, n) for n, kind in enumerate(("flows", "dns"))])
        with way.opened() as source:
            first, second = taken(source, 2)
            source.acknowledge(first)
        with way.opened() as source:
            assert names(taken(source, 1)) == names([second])

    def test_what_is_set_aside_is_kept_with_its_reason(self, way: Way) -> None:
        """It goes with its portion, and holds nobody up."""
        sent = [message("flows", 5, n) for n in range(3)]
        way.send(sent)
        with way.opened() as source:
            for portion in taken(source, 3):
                for place, one in zip(portion.places, portion.messages, strict=True):
                    if one.sequence == 1:
                        source.set_aside(portion, place, "ValueError: no good")
                source.acknowledge(portion)
            assert source.take(0.2) == []
        assert way.dead() == [(sent[1], "ValueError: no good")]

    def test_one_worker_leads(self, way: Way) -> None:
        """Where there is one, it runs the detectors."""
        way.send([message("flows", 5, 0)])
        with way.opened() as source:
            taken(source, 1)
            assert source.leads()

    def test_what_waits_is_counted(self, way: Way) -> None:
        """Messages that were not acknowledged, given or not."""
        way.send([message("flows", 5, n) for n in range(3)])
        with way.opened() as source:
            portions = taken(source, 3)
            assert source.waiting().messages == 3
            source.acknowledge(portions[0])
            assert source.waiting().messages == 3 - len(portions[0].messages)
