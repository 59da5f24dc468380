"""Ranges of event time, and the hours that tables are sorted by."""

import re

import pytest

from classifiers.detector import load_detectors
from classifiers.loss import LOSS_SQL
from classifiers.ranges import hourly
from classifiers.selective import SELECTIVE_SQL
from classifiers.verdict import ATTEMPTS_SQL
from tests.classifiers.conftest import START, at

TO_1970 = -START.timestamp()
RANGE = re.compile(r"((?:\b\w+\.)?\b(?:start|ts|window_start)) >= \{[^\n]+?\s+AND \1 <=? \{")


def test_ranges_are_read_by_the_hours_that_tables_are_sorted_by():
    """A range of times stands with its hours, lookback and all; other bounds stay as they are."""
    begin = "{from:DateTime64(6, 'UTC')} + toIntervalSecond({lookback:UInt32}) - INTERVAL 1 HOUR"
    end = "{to:DateTime64(6, 'UTC')}"
    since_1970 = "toStartOfHour(greatest({}, toDateTime64(0, 6, 'UTC')))"
    for sign in ("<", "<="):
        assert hourly(f"WHERE d.ts >= {begin}\n    AND d.ts {sign} {end} AND x") == (
            f"WHERE d.ts >= {begin}\n    AND d.ts {sign} {end}"
            f" AND toStartOfHour(d.ts) >= {since_1970.format(begin)}"
            f" AND toStartOfHour(d.ts) <= {since_1970.format(end)} AND x"
        )
    assert hourly(f"hour >= toStartOfHour({begin})") == f"hour >= {since_1970.format(begin)}"


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("start >= {}", "first < {}"),
        ("start >= {}", "start < {} + toIntervalWeek({{n:UInt32}})"),
        ("start >= {}", "start < {}\n    + INTERVAL {{n:UInt32}} HOUR"),
        ("start >= {}", "start < {} + INTERVAL 1 HOUR * {{n:UInt32}}"),
        ("start >= {} * 2", "start < {}"),
    ],
)
def test_other_bounds_stay_as_they_are(low, high):
    """Nothing is put into a bound that is reckoned in another way."""
    sql = f"{low} AND {high}".format("{from:DateTime64(6, 'UTC')}", "{to:DateTime64(6, 'UTC')}")
    assert hourly(sql) == sql
    assert (
        hourly("ts >= {a:DateTime64(6, 'UTC')} AND ts < {b:DateTime64(6, 'UTC')}\n-- end").count("Hour") == 4
    )


def test_every_range_of_the_statements_has_its_hours():
    """As many bounds by the hour as ranges of time, and no hour that could be before 1970."""
    texts = {detector.name: f"{detector.suspects}\n{detector.sql}" for detector in load_detectors()}
    texts |= {"loss": LOSS_SQL, "attempts": ATTEMPTS_SQL, "selective": SELECTIVE_SQL}
    for name, text in texts.items():
        ranges = len(RANGE.findall(text))
        assert len(re.findall(r"\s+AND toStartOfHour\([\w.]+\) <= toStartOfHour\(", text)) == ranges, name
        assert "toStartOfHour({" not in text, name
    assert RANGE.findall(texts["address_scan"])


def test_a_clock_that_begins_at_1970_is_judged(scribe):
    """Of a sensor without a clock the windows that look back before 1970 are judged like others."""
    for number in range(120):
        scribe.failed(TO_1970 + 90 + number * 0.1, "10.20.0.66", f"10.10.1.{number}")
    scribe.write()
    judge = scribe.detectors("address_scan", "random_walk")
    judge.round(90_000_000, 105_000_000)
    assert at(TO_1970).timestamp() == 0
    assert [row["detector"] for row in scribe.findings()] == ["address_scan", "random_walk"]
