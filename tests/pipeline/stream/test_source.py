"""The log as a source fulfils the contract."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.stream.log import Log
from pipeline.stream.message import Message
from pipeline.stream.source import CONSUMER, READ, LogSource, Source
from tests.pipeline.batches import message
from tests.pipeline.stream.source_contract import SourceContract, Way


class LogWay:
    """A log on disk, opened anew by each end."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def send(self, messages: list[Message]) -> None:
        with Log(self.path, 1 << 30) as log:
            log.append(messages)

    @contextmanager
    def opened(self) -> Iterator[Source]:
        with Log(self.path, 1 << 30) as log:
            source = LogSource(log)
            source.open()
            yield source
            source.close()

    def dead(self) -> list[tuple[Message, str]]:
        with Log(self.path, 1 << 30) as log:
            reasons = {dead.sequence: dead.reason for dead in log.dead()}
            log.revive()
            log.register(CONSUMER)
            back = [entry.message for entry in log.read(CONSUMER, 100)]
        return [(one, reasons[one.sequence]) for one in back]


class TestLogSource(SourceContract):
    @pytest.fixture
    def way(self, tmp_path: Path) -> Way:
        return LogWay(tmp_path / "outbox.sqlite")


def test_a_portion_of_the_log_is_one_message(tmp_path: Path) -> None:
    """Under its own name, so that rows of a store from before are recognised; so many of them at once."""
    sent = [message("dns", 1, n) for n in range(READ + 2)]
    with Log(tmp_path / "outbox.sqlite", 1 << 30) as log:
        log.append(sent)
        source = LogSource(log)
        source.open()
        portions = source.take(0)
    assert [(portion.token, portion.messages) for portion in portions] == [
        (one.token, (one,)) for one in sent[:READ]
    ]


def test_a_kind_of_the_future_is_given(tmp_path: Path) -> None:
    """A word for records that this program does not know is the worker's to set aside."""
    sent = message("dns", 5, 0)._replace(records="frobs", schema=99)
    with Log(tmp_path / "outbox.sqlite", 1 << 30) as log:
        log.append([sent])
        source = LogSource(log)
        source.open()
        [portion] = source.take(0)
    assert portion.records == "frobs"
    assert portion.messages == (sent,)
