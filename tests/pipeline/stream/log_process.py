"""A writer and a reader of a log as processes of their own, to be killed at any moment.

`write LOG BOOT`: appends messages for ever; prints the number of the last one appended.
`read LOG DONE`: takes one message at a time, adds its token to DONE and acknowledges it.
"""

import sys
import time
from itertools import count
from pathlib import Path

from pipeline.stream.log import Log
from pipeline.stream.message import Message

BOUND = 1 << 30


def numbered(boot: str, sequence: int) -> Message:
    """A message whose payload can be told from its number."""
    payload = sequence.to_bytes(4, "big") * 500
    return Message("gate", boot, sequence, "flows", 1, 10, 0, 0, payload)


def write(path: str, boot: str) -> None:
    with Log(path, BOUND) as log:
        for sequence in count(log.highest("gate", boot) + 1):
            log.append([numbered(boot, sequence)])
            print(sequence, flush=True)


def read(path: str, done: str) -> None:
    with Log(path, BOUND) as log, Path(done).open("a") as file:
        log.register("worker")
        seen = set(Path(done).read_text().split())
        while True:
            for entry in log.read("worker", 3):
                if entry.message.token not in seen:
                    file.write(entry.message.token + "\n")
                    file.flush()
                time.sleep(0.001)
                log.acknowledge("worker", entry.id)
            time.sleep(0.002)


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](*sys.argv[2:])
