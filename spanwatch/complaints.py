"""What goes wrong again and again: always in the status, and in the log once a while."""

import logging
import time
from typing import Any

#: The same complaint is logged once in this many seconds. Our default.
COMPLAINT_S = 60.0


class Complaints:
    """Of one process; for any thread."""

    def __init__(self, logger: logging.Logger, status: dict[str, Any]) -> None:
        self._logger, self._status = logger, status
        self._told: dict[str, float] = {}

    def tell(self, key: str, kind: str, line: str) -> None:
        """Keep the line in the status under `key`, and log one of its kind a minute."""
        self._status[key] = line
        now = time.monotonic()
        if now - self._told.get(kind, -COMPLAINT_S) >= COMPLAINT_S:
            self._told[kind] = now
            self._logger.warning("%s", line)
