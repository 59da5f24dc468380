"""Where a worker takes messages from: the contract, and the sensor's log as one that fulfils it.

A source gives *portions*: messages of one kind that are inserted as one. It gives a portion again, the same
messages under the same token, until it is acknowledged, whoever asks after whatever kill. What it gives
twice nevertheless (a relay's repeat, in another portion) the store's `batches` knows by name.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from pipeline.stream.log import Log
from pipeline.stream.message import Message

#: Name under which workers read: consumer of the log, group in Kafka.
CONSUMER = "worker"
#: Messages of the log read at once. Our default.
READ = 32


#: Where a message is in its source: id in the log; partition and offset in Kafka.
Place = int | tuple[int, int]


class Broken(NamedTuple):
    """What came instead of a message: headers that name none."""

    place: Place
    reason: str


class Portion(NamedTuple):
    """Messages of one kind, in order, that are inserted as one."""

    token: str
    """Deduplication token at the store: the same for these messages for ever, and for no others."""
    records: str
    """Kind of record: a key of `pipeline.records.SCHEMAS`, or a word that this program does not know."""
    messages: tuple[Message, ...]
    places: Sequence[Place]
    """Where each message is."""
    broken: tuple[Broken, ...] = ()
    """What lay between them and is to be set aside."""


class Waiting(NamedTuple):
    """What this worker has yet to acknowledge."""

    messages: int | None
    """None: not known now (no broker answers, or the partitions are being handed out)."""
    bytes: int | None
    """None: the source does not count them."""
    partitions: dict[str, int]
    """Messages by partition; empty for the log."""
    lost: int = 0
    """Messages that the source deleted before this worker could take them; a log counts them in `health`."""


class Source(Protocol):
    """For one thread, `waiting` and `leads` for any. Every method raises OSError where the source does not
    answer (try again) and ValueError where it never will."""

    @property
    def shared(self) -> bool:
        """Other workers take from it, too: what is left at the end of one is theirs."""

    def open(self) -> None:
        """Make this worker known. Again: nothing happens."""

    def take(self, wait_s: float) -> list[Portion]:
        """What is to be done now: first what was given and not acknowledged. Empty after `wait_s` seconds
        without anything."""

    def acknowledge(self, *portions: Portion) -> None:
        """Done with all of them, the first that were given; handed in when more is taken at the latest. Where
        another worker has them by now, nothing happens."""

    def set_aside(self, portion: Portion, place: Place, reason: str) -> None:
        """Keep what is at that place of the portion with those that no worker could use. To be acknowledged
        with the others."""

    def waiting(self) -> Waiting: ...

    def leads(self) -> bool:
        """Whether the detectors are this worker's to run."""

    def close(self) -> None:
        """Hand in what was acknowledged and leave."""


class LogSource:
    """The sensor's log: a portion is one message under its own token, and there is one worker."""

    shared = False

    def __init__(self, log: Log) -> None:
        self.log = log

    def open(self) -> None:
        self.log.register(CONSUMER)

    def take(self, wait_s: float) -> list[Portion]:
        entries = self.log.read(CONSUMER, READ)
        if not entries:
            time.sleep(wait_s)
        return [Portion(message.token, message.records, (message,), (place,)) for place, message in entries]

    def acknowledge(self, *portions: Portion) -> None:
        last = portions[-1].places[-1]
        assert isinstance(last, int)
        self.log.acknowledge(CONSUMER, last)

    def set_aside(self, portion: Portion, place: Place, reason: str) -> None:
        assert isinstance(place, int)
        self.log.set_aside(place, reason)

    def waiting(self) -> Waiting:
        return Waiting(*self.log.waiting(CONSUMER), {})

    def leads(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing: whoever opened the log closes it."""
