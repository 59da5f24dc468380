"""How many rows a second get their meaning: `python -m benchmarks.classified`.

CPU time of one thread over made flows: half of the names listed, clients of all groups, an hour of time. By
one version of the policy, by one that changed in the middle of each batch, and with device tags. The ratios
are what to compare: machines differ.
"""

import random
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from blocklists.lists import load_matcher
from classifiers.judge import Judge, in_force
from classifiers.policy import load_policy
from classifiers.policy_model import Policy
from classifiers.policy_versions import Load
from pipeline.records import SCHEMAS, address_bytes

ROWS = 16_384
ROUNDS = 15
#: A Wednesday on duty, µs.
START_US = 1_795_024_800_000_000
HOUR_US = 3_600_000_000
NAMES = ("www.youtube.com", "v16.tiktokcdn.com", "www.roblox.com", "api.nordvpn.com", "www.instagram.com")


def made_flows(rows: int = ROWS) -> pa.RecordBatch:
    """Flows of all groups; every other name is listed."""
    chance = random.Random(7)
    empty = {field.name: field for field in SCHEMAS["flows"]}
    columns = {name: _rest(field.type, rows) for name, field in empty.items()}
    columns["client"] = pa.array(
        [address_bytes(f"10.{chance.choice((20, 30, 40, 50))}.0.{chance.randrange(250)}")
         for _ in range(rows)], pa.binary(16),
    )  # fmt: skip
    names = [
        chance.choice(NAMES) if n % 2 else f"h{chance.randrange(5_000)}.example.org" for n in range(rows)
    ]
    columns["server_name"] = pa.array(names)
    times = np.sort(np.array([START_US + chance.randrange(HOUR_US) for _ in range(rows)]))
    columns["start"] = pa.array(times, empty["start"].type)
    columns["client_mac"] = pa.array([chance.randrange(2_000) + 1 for _ in range(rows)], pa.uint64())
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=SCHEMAS["flows"])


def _rest(type_: pa.DataType, rows: int) -> pa.Array:
    if pa.types.is_dictionary(type_):
        return pa.array([""] * rows).dictionary_encode().cast(type_)
    if pa.types.is_string(type_):
        return pa.array([""] * rows)
    if pa.types.is_fixed_size_binary(type_):
        return pa.array([bytes(16)] * rows, type_)
    return (
        pa.array(np.zeros(rows, np.int64)).cast(type_)
        if not pa.types.is_boolean(type_)
        else pa.array([False] * rows)
    )


def rows_per_cpu_second(classify: Callable[[pa.RecordBatch], object], batch: pa.RecordBatch) -> float:
    """The best of `ROUNDS`: what else runs on the machine only takes away."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.thread_time()
        classify(batch)
        best = min(best, time.thread_time() - begun)
    return batch.num_rows / best


def main() -> None:
    policy, lists, batch = load_policy(), load_matcher(), made_flows()
    groups = [{**group, "tags": ["cart"]} if group["id"] == "students" else group
              for group in policy.content()["groups"]]  # fmt: skip
    macs = [f"00:00:00:00:{n >> 8:02x}:{n & 255:02x}" for n in range(1, 1_001)]
    tagged = Policy.model_validate(policy.content() | {"groups": groups, "devices": {"cart": macs}})
    middle = START_US + HOUR_US // 2
    other = Policy.model_validate(policy.content() | {"organisation": "Another"})
    loads = [Load(other.version, middle, middle, "", "", ()), Load(policy.version, 0, 0, "", "", ())]
    judges = {
        "one version": Judge(in_force(policy, lists)),
        "device tags": Judge(in_force(tagged, lists)),
        "a version that changes in each batch": Judge(
            in_force(other, lists, loads), {policy.version: policy}.__getitem__
        ),
    }
    first = 0.0
    for name, judge in judges.items():
        speed = rows_per_cpu_second(lambda rows, judge=judge: judge.classify("flows", rows, "s"), batch)  # type: ignore[misc]
        first = first or speed
        print(f"{name}: {speed:,.0f} rows/s, {speed / first:.2f} of one version")


if __name__ == "__main__":
    main()
