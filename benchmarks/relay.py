"""How fast the relay moves flows from the log to Kafka, and what that costs.

    python -m benchmarks.relay [--rows 1000000] [--partitions 6] [--brokers 1] [--compression lz4]

Flows of a made school (benchmarks/store.py) in batches as a sensor writes them, split by host into the
partitions, sent by the idempotent producer to real brokers on this machine, acknowledged by all of them.
Prints rows a second, and CPU seconds a million rows of the relay, of its splitting alone and of the brokers;
beside them, from the same run, what the sensor pays to write the batches: to compare with other machines.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

from benchmarks.store import school
from pipeline.settings import load_settings
from pipeline.stream.log import Log
from pipeline.stream.message import encode
from pipeline.stream.split import split
from spanwatch.relay import CONSUMER, Relay
from tests.services.kafka import Kafka

#: Rows of a batch, as `sensor.batch_rows` has it.
BATCH = 16_384


def cpu() -> float:
    """CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def brokers_cpu(kafka: Kafka) -> float:
    """CPU seconds of the brokers."""
    total = 0
    for number in kafka.numbers:
        fields = Path(f"/proc/{kafka.pid(number)}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--compression", choices=["lz4", "zstd"], default="lz4")
    chosen = parser.parse_args()
    batches = [school(BATCH, n) for n in range(max(2, chosen.rows // BATCH))]
    begun = cpu()
    messages = [
        encode("flows", batch, sensor="gate", boot="b", sequence=n) for n, batch in enumerate(batches)
    ]
    millions = len(batches) * BATCH / 1e6
    print(f"{millions:.2f} M rows in {len(batches)} batches, {len(messages[0].payload) / BATCH:.0f} B a row")
    print(f"writing a batch       {(cpu() - begun) / millions:.2f} CPU s/M rows")
    begun = cpu()
    for message in messages:
        split(message, "north", chosen.partitions, chosen.compression)
    print(f"splitting it          {(cpu() - begun) / millions:.2f} CPU s/M rows")
    with tempfile.TemporaryDirectory() as folder, Kafka(Path(folder) / "kafka", chosen.brokers) as kafka:
        copies = min(3, chosen.brokers)
        settings = load_settings(
            state=Path(folder) / "state",
            stream={
                "kafka": kafka.settings
                | {"replication": copies, "min_insync": max(1, copies - 1), "partitions": chosen.partitions}
                | {"compression": chosen.compression}
            },
        )
        with Log(settings.log_file, 16 << 30) as log:
            log.register(CONSUMER)
            log.append(messages[:1])
            relay = Relay(settings, log)
            relay.drain()
            log.append(messages[1:])
            millions = (len(batches) - 1) * BATCH / 1e6
            begun, theirs, clock = cpu(), brokers_cpu(kafka), time.monotonic()
            relay.drain()
            took = time.monotonic() - clock
            print(f"relaying it           {(cpu() - begun) / millions:.2f} CPU s/M rows")
            theirs = (brokers_cpu(kafka) - theirs) / millions
            print(f"brokers, {chosen.brokers} of them       {theirs:.2f} CPU s/M rows")
            print(f"{millions * 1e6 / took:,.0f} rows/s acknowledged, {relay.status['parts']} messages")


if __name__ == "__main__":
    main()
