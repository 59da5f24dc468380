"""The sensor's way out: batches get their numbers and go into the log, live ones from a thread of its own."""

import logging
import queue
import threading
import time
from collections.abc import Iterable
from typing import Self

import pyarrow as pa

from pipeline.stream.log import Log
from pipeline.stream.message import Message, encode

#: A batch with the kind of its records.
Batch = tuple[str, pa.RecordBatch]

#: Lists of batches that wait for a slow disk, one a second in quiet times: far above what a commit takes at
#: full rate. Our default.
COURIER_BATCHES = 64
#: Seconds between two lines about the same trouble.
COMPLAIN_S = 60.0

logger = logging.getLogger("spanwatch.sensor")


class Outbox:
    """The log as the sensor's way out: numbers batches, remembers what was lost on the way.

    A file can be read again, so a log that can't be written ends its replay. A mirror port can't: with
    `live`, such batches are counted as lost and the sensor goes on.
    """

    def __init__(self, log: Log, sensor: str, boot: str, *, live: bool = False) -> None:
        self._log = log
        self._sensor = sensor
        self._boot = boot
        self._live = live
        self._sequence = 0
        # The courier's thread counts, the sensor's takes.
        self._lost_lock = threading.Lock()
        self._lost = 0
        self.waiting_bytes = 0
        """Bytes in the log after the last `put`."""
        self._complained = -COMPLAIN_S

    def put(self, batches: Iterable[Batch]) -> None:
        """Append batches in one transaction. Raises OSError unless live; then they are not in the log."""
        messages: list[Message] = []
        for kind, batch in batches:
            number = self._sequence + len(messages)
            messages.append(encode(kind, batch, sensor=self._sensor, boot=self._boot, sequence=number))
        if not messages:
            return
        lost = 0
        try:
            lost = self._log.append(messages).lost_records
            self.waiting_bytes = self._log.totals()["bytes"]
        except OSError as error:
            if not self._live:
                raise
            lost = sum(message.rows for message in messages)
            if time.monotonic() - self._complained >= COMPLAIN_S:
                self._complained = time.monotonic()
                logger.error("%s; %d records are lost, later ones are counted in health", error, lost)
        with self._lost_lock:
            self._lost += lost
        # Lost batches had their numbers: the hole shows.
        self._sequence += len(messages)

    def take_lost(self) -> int:
        """Records lost to the bound since the last call."""
        with self._lost_lock:
            lost, self._lost = self._lost, 0
        return lost


class Courier:
    """Hands batches to an outbox from a thread of its own, so that a slow disk costs no frame.

    Up to `COURIER_BATCHES` wait; then `put` waits, too, and the ring fills. Leaving the block waits until all
    is handed over, and raises what prevented it. Start it after privileges are dropped: a thread would keep
    them.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._waiting: queue.Queue[list[Batch] | None] = queue.Queue(COURIER_BATCHES)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def _run(self) -> None:
        while (batches := self._waiting.get()) is not None:
            if self._failure is None:
                try:
                    self._outbox.put(batches)
                except BaseException as error:
                    # Raised where the sensor is; what still comes has nowhere to go.
                    self._failure = error

    def put(self, batches: Iterable[Batch]) -> None:
        """Let these be handed over. Raises what handing over an earlier one raised."""
        if self._failure is not None:
            raise self._failure
        if ready := list(batches):
            self._waiting.put(ready)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._waiting.put(None)
        self._thread.join()
        if self._failure is not None and kind is None:
            raise self._failure
