"""The faults with as many flows as are wanted: what was done, how long it took, and what differs in the end.

    python -m benchmarks.faults --flows 10000000 [--only kill_everything,outage] [--outage 600] [--folder DIR]

Three brokers, a store behind HTTP, a sensor that sends made flows and the bundled day, a relay and two
workers, all of them processes on this machine (tests/faults). First the run in which nothing happens, then
each fault; prints a line of a Markdown table for each: seconds from first start to last round of the
detectors, times that relay and workers tried again, the most memory of a worker, in which tables the store
differs from the calm run's. Exit code 1 where one does. Needs root, Java, Maven, nftables and libfaketime.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.faults import faults
from tests.faults.district import District, Load, Outcome
from tests.faults.ledger import differences
from tests.services.clickhouse import CurrentServer, small_disk
from tests.services.kafka import Kafka

#: Names of the faults in the order of their runs.
NAMES = (
    "kill_everything", "kill_sensor", "kill_relay", "kill_brokers", "kill_worker", "kill_store", "outage",
    "slow_store", "cut_network", "rebalance", "clock_jump", "reordered", "corrupted", "old_schemas",
    "full_store_disk", "full_sensor_disk", "bound_of_the_log",
)  # fmt: skip
HEAD = """\
| fault | done | s | tried again | worker, MB | set aside | flows | declared lost | differs from calm |
|---|---|---|---|---|---|---|---|---|"""
#: Bytes of a log that is too small, and of a disk, for each flow: 75 are one in the log, 40 one in the store.
LOG_BYTES, SENSOR_DISK_BYTES, STORE_DISK_BYTES = 25, 60, 250


def line(title: str, counts: dict[str, int], outcome: Outcome, told: str) -> str:
    done = ", ".join(f"{count:,} {what}" for what, count in counts.items()) or "nothing"
    return (
        f"| {title} | {done} | {outcome.seconds:.0f} | {outcome.retries} | {outcome.memory / 1e6:.0f} "
        f"| {outcome.dead} | {outcome.sums['flows']:,} | {outcome.sums['lost']:,} | {told} |"
    )


def verdict(calm: Outcome, outcome: Outcome) -> str:
    """What differs, `nothing` where nothing does; records that were declared lost account for theirs."""
    if outcome.sums["lost"]:
        rows = calm.sums["rows"] + 1 - outcome.sums["lost"]
        return "what is declared lost" if outcome.sums["rows"] == rows else "more than was declared lost"
    told = differences(calm.tables, outcome.tables)
    return "; ".join(told) or "nothing"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--flows", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=16_384, help="flows of a batch")
    parser.add_argument("--rate", type=float, default=0, help="flows a second of the sensor; 0 all it can")
    parser.add_argument("--only", default="", help="names of faults, with commas")
    parser.add_argument("--outage", type=float, default=600, help="seconds without brokers")
    parser.add_argument(
        "--patience", type=float, default=3_600, help="seconds that each step of a run may take"
    )
    parser.add_argument("--folder", type=Path, help="where all of it is kept")
    given = parser.parse_args()
    load = Load(given.flows, given.rows, given.rate)
    names = [name for name in NAMES if name in given.only.split(",")] if given.only else list(NAMES)
    failed = False
    with tempfile.TemporaryDirectory(prefix="faults-", dir=given.folder) as made:
        folder = Path(made)
        with CurrentServer(folder / "server") as server, Kafka(folder / "kafka", brokers=3) as kafka:
            print(HEAD, flush=True)

            def run(
                name: str, script: Callable[[District], None], at: CurrentServer = server, bound: int = 0
            ) -> Outcome:
                stream = {"log_bytes": bound} if bound else {}
                with District(folder, kafka, at, name.replace("_", "-"), load, **stream) as district:
                    district.patience = given.patience
                    script(district)
                    outcome = district.finish(district.counts.get("batches thrown away", 0))
                told = verdict(calm or outcome, outcome)
                print(line(name.replace("_", " "), district.counts, outcome, told), flush=True)
                return outcome

            calm: Outcome | None = None
            calm = run("undisturbed", faults.undisturbed)
            for name in names:
                script = getattr(faults, name)
                if name == "outage":
                    script = partial(faults.outage, seconds=given.outage)
                try:
                    if name == "full_store_disk":
                        size = (256 << 20) + STORE_DISK_BYTES * load.flows
                        with (
                            small_disk(folder / "store-disk", size) as disk,
                            CurrentServer(folder / "store-disk" / "server") as small,
                        ):
                            outcome = run(name, partial(script, disk=disk), small)
                    elif name == "full_sensor_disk":
                        size = (48 << 20) + SENSOR_DISK_BYTES * load.flows
                        with small_disk(folder / "full-sensor-disk" / "sensor", size) as disk:
                            outcome = run(name, partial(script, disk=disk))
                    elif name == "bound_of_the_log":
                        outcome = run(name, script, bound=max(2 << 20, LOG_BYTES * load.flows))
                    else:
                        outcome = run(name, script)
                except TimeoutError as error:
                    print(f"| {name.replace('_', ' ')} | not at its end | | | | | | | {error} |", flush=True)
                    failed = True
                    continue
                failed |= verdict(calm, outcome) not in ("nothing", "what is declared lost")
    sys.exit(failed)


if __name__ == "__main__":
    main()
