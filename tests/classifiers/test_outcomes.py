"""Sums of attempts stand for them as long as they are true, and never longer."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from classifiers.outcomes import DAY_S, HOUR_S, MOST, QUIET_US, SECOND_US, WEEK_S, Known, Outcomes, sources
from pipeline.records import TEXT, TEXTS, TIME, address_bytes
from pipeline.store.client import Store
from tests.pipeline.stores import made_store

#: A Thursday, on which a week begins.
WEEK = 2_928 * WEEK_S
#: When all attempts were written, until something is judged again.
WRITTEN = WEEK + 3 * WEEK_S
END = WEEK + 2 * WEEK_S


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with made_store(tmp_path) as made:
        yield made


def judge(store: Store, *rows: dict[str, Any], written: float = WRITTEN) -> None:
    """Attempts as they were written at a time; `at` in seconds since the week's start."""
    columns: dict[str, pa.Array] = {}
    for name, kind, absent in (
        ("site", TEXT, "main"), ("group", TEXT, "students"), ("name", TEXT, "video.example"),
        ("categories", TEXTS, ["streaming_video"]), ("action", TEXT, "prohibit"),
        ("verdict", TEXT, "blocked"), ("initiated", TEXT, "user"), ("embedded", pa.bool_(), False),
        ("loss", pa.float64(), 0.0), ("removed", pa.uint8(), 0),
    ):  # fmt: skip
        columns[name] = pa.array([row.get(name, absent) for row in rows], kind)
    columns["client"] = pa.array(
        [address_bytes(row.get("client", "10.0.0.1")) for row in rows], pa.binary(16)
    )
    begins = [int((WEEK + row["at"]) * SECOND_US) for row in rows]
    for name, later in (("window_start", 0), ("first", 0), ("last", 2 * SECOND_US)):
        columns[name] = pa.array([begin + later for begin in begins], TIME)
    columns["updated"] = pa.array([int(written * SECOND_US)] * len(rows), TIME)
    store.insert("attempts", pa.table(columns), f"{random.random()}")


def asked(store: Store, first: float, last: float, *, summed: bool = True) -> Counter[tuple[Any, ...]]:
    """Attempts by key, and hosts by site, of a range of seconds since the week's start."""
    span = int((WEEK + first) * SECOND_US), int((WEEK + last) * SECOND_US)
    known = Known.between(store.rows, *span)
    found = sources(known, *span) if summed else sources(known._replace(made=frozenset()), *span)
    rows = store.rows(
        "SELECT site, `group`, categories, action, verdict, sum(o.attempts) AS n, sum(o.widgets) AS w,"
        " sum(o.unmeasured) AS u, uniqExactArray(o.hosts) + uniqExactArray(o.hosts6) AS hosts,"
        f" toString(min(o.first)) AS first, toString(max(o.last)) AS last FROM ({found.sql('1')}) AS o"
        " GROUP BY site, `group`, categories, action, verdict"
    )
    return Counter({(*map(str, row.values()),): 1 for row in rows})


def used(store: Store, first: float = 0, last: float = 2 * WEEK_S) -> list[int]:
    """Lengths of the sums that a range of seconds since the week's start is read from."""
    span = int((WEEK + first) * SECOND_US), int((WEEK + last) * SECOND_US)
    return [one.step for one in sources(Known.between(store.rows, *span), *span).sums]


def settle(store: Store, until: float = WRITTEN + DAY_S) -> int:
    return Outcomes(store).settle_until(int(until * SECOND_US))


def some(chance: random.Random) -> dict[str, Any]:
    return {
        "at": chance.choice([0, HOUR_S - 1, 5 * HOUR_S, DAY_S, 3 * DAY_S + 40, WEEK_S - 1, WEEK_S + 7]),
        "site": chance.choice(["main", "annex"]),
        "client": chance.choice(["10.0.0.1", "10.0.0.2", "192.168.7.7", "2001:db8::1", "2001:db8::2"]),
        "name": chance.choice(["video.example", "chat.example"]),
        "categories": chance.choice([[], ["chat"], ["chat", "adult"]]),
        "verdict": chance.choice(["blocked", "allowed", "partial", "inconclusive"]),
        "embedded": chance.random() < 0.5,
        "loss": chance.choice([0.0, None]),
    }


RANGES = [
    (0, 2 * WEEK_S), (0, WEEK_S), (1, WEEK_S), (0, WEEK_S - 1), (DAY_S, 4 * DAY_S), (HOUR_S - 1, DAY_S + 5),
    (3 * DAY_S, 3 * DAY_S + 41),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
def test_sums_say_what_their_attempts_say(store: Store, seed: int) -> None:
    """Whatever was judged, judged again, taken back and summed, in any order, over any range."""
    chance = random.Random(seed)
    written: list[dict[str, Any]] = []
    for step in range(6):
        rows = [some(chance) for _ in range(chance.randrange(1, 6))]
        again = (
            [chance.choice(written) | {"verdict": "allowed", "removed": chance.randrange(2)}]
            if written
            else []
        )
        written += rows
        judge(store, *rows, *again, written=WRITTEN + step)
        if chance.random() < 0.6:
            settle(store, WRITTEN + step - chance.randrange(2))
        for first, last in chance.sample(RANGES, 3):
            assert asked(store, first, last) == asked(store, first, last, summed=False)
    settle(store)
    assert used(store) == [WEEK_S, WEEK_S]
    for first, last in RANGES:
        assert asked(store, first, last) == asked(store, first, last, summed=False)


def test_a_range_is_read_from_its_longest_sums(store: Store) -> None:
    """Whole weeks, whole days around them, whole hours around those; each attempt from one."""
    judge(store, *({"at": at} for at in range(0, 9 * DAY_S, HOUR_S)))
    settle(store)
    assert used(store, 0, WEEK_S) == [WEEK_S]
    assert used(store, 0, 2 * DAY_S + HOUR_S) == [DAY_S, DAY_S, HOUR_S]
    assert used(store, 1, DAY_S + HOUR_S + 1) == [HOUR_S] * 24


def test_what_was_judged_again_is_read_until_it_is_summed_again(store: Store) -> None:
    """The hour of a changed attempt, its day and its week do not count; the other hours still do."""
    judge(store, {"at": 0}, {"at": HOUR_S}, {"at": DAY_S})
    assert settle(store) == 3 + 2 + 1
    judge(store, {"at": 5, "client": "10.0.0.9"}, written=WRITTEN + 60)
    assert used(store) == [DAY_S, HOUR_S]
    assert settle(store) == 3
    assert used(store) == [WEEK_S]
    assert settle(store) == 0


def test_an_attempt_taken_back_leaves_a_sum_of_nothing(store: Store) -> None:
    """An hour of which nothing holds any more is summed once, and counts nothing."""
    judge(store, {"at": 0})
    settle(store)
    judge(store, {"at": 0, "removed": 1}, written=WRITTEN + 60)
    assert settle(store) == 3
    assert settle(store) == 0
    assert asked(store, 0, WEEK_S) == Counter()


@pytest.mark.parametrize("lacking", [True, False])
def test_sums_that_lack_a_row_or_have_one_twice_do_not_count(store: Store, lacking: bool) -> None:
    """The attempts are read instead."""
    judge(store, {"at": 0}, {"at": 1, "verdict": "allowed"})
    settle(store)
    before = asked(store, 0, WEEK_S)
    if lacking:
        store.command("ALTER TABLE outcomes DELETE WHERE verdict = 'blocked' SETTINGS mutations_sync = 2")
    else:
        store.command("SYSTEM STOP MERGES outcomes")
        store.command("INSERT INTO outcomes SELECT * FROM outcomes SETTINGS insert_deduplicate = 0")
    assert used(store) == []
    assert asked(store, 0, WEEK_S) == before


def test_what_is_still_being_judged_is_left_alone(store: Store) -> None:
    """Neither attempts written a moment ago, nor an hour that has not ended, are summed."""
    judge(store, {"at": 0}, written=WRITTEN)
    assert settle(store, WRITTEN - 1) == 0
    judge(store, {"at": HOUR_S}, written=WEEK)
    assert settle(store, WEEK + HOUR_S + 60) == 0


def test_rounds_sum_a_few_at_a_time(store: Store) -> None:
    """By the store's clock: what was written now waits; of old ones so many a look."""
    judge(store, {"at": -WEEK_S}, written=store.rows("SELECT toUnixTimestamp(now()) AS now")[0]["now"])
    judge(store, *({"at": hour * HOUR_S} for hour in range(MOST + 3)), written=WEEK)
    outcomes = Outcomes(store)
    assert outcomes.settle() == MOST
    assert used(store) == [HOUR_S] * MOST
    assert used(store, 3 * HOUR_S) == [HOUR_S] * MOST
    assert outcomes.settle() == 3 + 3 + 1
    assert outcomes.settle() == 0
    assert QUIET_US > 0


def test_narrow_sums_tell_what_is_known(store: Store) -> None:
    """How old attempts and sums are is read from projections: the rows themselves are not."""
    judge(store, *({"at": at} for at in range(0, DAY_S, 60)))
    settle(store)
    for table, keys, newest in (
        ("attempts", "toStartOfHour(window_start)", "max(updated)"),
        ("outcomes", "step, start, as_of", "max(parts) = count()"),
    ):
        plan = store.rows(f"EXPLAIN SELECT {keys}, {newest} FROM {table} GROUP BY {keys}")
        assert any("(hours)" in row["explain"] or "(steps)" in row["explain"] for row in plan), table


def test_times_behind_the_last_hour_are_read_one_by_one(store: Store) -> None:
    """A clock that is far wrong: no hour of it is summed, and it is in a range that reaches there."""
    judge(store, {"at": (1 << 32) + DAY_S - WEEK}, {"at": 0})
    settle(store)
    far = (1 << 32) + WEEK_S - WEEK
    assert used(store, 0, far) == [WEEK_S]
    assert sum(int(key[5]) for key in asked(store, 0, far)) == 2


def test_a_sum_goes_with_the_first_of_its_attempts(store: Store) -> None:
    """It names hosts: whatever step it is of, and however late it was made, it says when to forget them."""
    judge(store, {"at": 0}, written=WRITTEN)
    judge(store, {"at": DAY_S, "site": "annex"}, {"at": WEEK_S - 1}, written=WRITTEN + 5 * DAY_S)
    settle(store, WRITTEN + 9 * DAY_S)
    rows = store.rows(
        "SELECT step, toInt64(toUnixTimestamp(start)) AS start,"
        " groupUniqArray(toUnixTimestamp(oldest)) AS oldest FROM outcomes"
        " WHERE start = (SELECT min(start) FROM outcomes) GROUP BY ALL ORDER BY ALL"
    )
    assert rows == [{"step": step, "start": WEEK, "oldest": [WRITTEN]} for step in (HOUR_S, DAY_S, WEEK_S)]
    later = store.rows(
        "SELECT DISTINCT toUnixTimestamp(oldest) AS oldest FROM outcomes WHERE step = {hour:UInt32}"
        " AND start > (SELECT min(start) FROM outcomes)",
        {"hour": HOUR_S},
    )
    assert later == [{"oldest": WRITTEN + 5 * DAY_S}]
