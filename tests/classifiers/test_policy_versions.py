"""Versions of the policy over time, in a real store."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.policy_model import Policy
from classifiers.policy_versions import AHEAD_US, Interval, Load, Timeline, Versions, intervals
from tests.classifiers.policy_text import BASE

FILE = Path("policy.toml")
HOUR = 3_600_000_000


@pytest.fixture
def store(chdb):
    """A store that knows no version."""
    chdb.command("TRUNCATE TABLE policies")
    return chdb


def policy(text=BASE):
    return Policy.model_validate(tomllib.loads(text))


def load(version, loaded, valid_from=None):
    return Load(version, loaded, loaded if valid_from is None else valid_from, "", "", ())


def test_each_load_holds_until_the_next():
    """Loads without a time of their own follow each other; a version may come back."""
    assert intervals([load("a", 10), load("b", 20), load("a", 30)]) == [
        Interval("a", 10, 20),
        Interval("b", 20, 30),
        Interval("a", 30, None),
    ]
    assert intervals([]) == []


def test_a_version_of_the_future_waits_and_can_be_replaced():
    """`valid_from` ahead lets the old version hold till then; what is loaded before then replaces it."""
    assert intervals([load("a", 10), load("b", 20, 50)]) == [Interval("a", 10, 50), Interval("b", 50, None)]
    assert intervals([load("c", 30), load("b", 20, 50), load("a", 10)]) == [
        Interval("a", 10, 30),
        Interval("c", 30, None),
    ]


def test_a_version_of_the_past_holds_from_then():
    """`valid_from` behind lets the version hold for events since then."""
    assert intervals([load("a", 10), load("b", 40, 20)]) == [Interval("a", 10, 20), Interval("b", 20, None)]


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8), st.integers(0, 60)
)
def test_the_last_load_that_had_begun_wins(loads, moment):
    """Whatever was loaded when, an event's version is the latest loaded one that is valid from before it."""
    made = [load(f"v{n}", n, start) for n, (_, start) in enumerate(loads)]
    begun = [one.version for one in made if one.valid_from <= moment]
    timeline = Timeline(intervals(made))
    found = next((s.version for s in timeline.spans if s.first <= moment < (s.until or 99)), None)
    assert found == (begun[-1] if begun else None)
    if begun:
        assert timeline.at(moment).version == found
        assert timeline.versions(np.array([moment])) == [(found, None)]


def test_events_are_split_by_their_time():
    """Rows go to the version of their own time, those before the first to what is in force now."""
    timeline = Timeline(intervals([load("a", 10), load("b", 20)]))
    split = timeline.versions(np.array([5, 25, 12, 19, 20], np.int64))
    assert {version: rows.tolist() for version, rows in split} == {"b": [0, 1, 4], "a": [2, 3]}
    assert timeline.versions(np.array([], np.int64)) == [("b", None)]
    assert timeline.versions(np.array([1, 2, 30], np.int64)) == [("b", None)]
    assert timeline.at(1).version == "b"
    assert timeline.now(15).version == "a"
    assert timeline.now(0).version == "a"


def test_a_load_that_differs_makes_a_version(store):
    """The first load, one that differs and one that goes back are noted; the same again is not."""
    versions = Versions(store)
    clock = iter(range(HOUR * 1_000, 100 * HOUR * 1_000, HOUR * 1_000)).__next__
    other = policy(BASE.replace("prohibit", "limit"))
    for one in (policy(), policy(), other, policy()):
        versions.record(one, FILE, clock)
    loads = versions.loads()
    assert [one.version for one in loads] == [policy().version, other.version, policy().version]
    assert [one.loaded for one in loads] == [3 * HOUR, 2 * HOUR, HOUR]
    assert [one.valid_from - one.loaded for one in loads] == [AHEAD_US, AHEAD_US, 0]
    assert "~ rules[games for students, always].action: prohibit → limit" in loads[1].changes
    assert (loads[0].file, "@" in loads[0].loaded_by) == ("policy.toml", True)


def test_the_content_of_a_version_is_the_policy(store):
    """A version read from the store is the policy it was, with its devices and times."""
    versions = Versions(store)
    text = f'valid_from = 2026-08-12\n{BASE}[devices]\ncart = ["00:16:3e:00:00:01"]\n'
    versions.record(policy(text), FILE)
    assert versions.policy(policy(text).version) == policy(text)
    assert versions.loads()[0].valid_from == policy(text).starts
    with pytest.raises(KeyError, match="no version"):
        versions.policy("0" * 16)


def test_a_clock_that_went_back_keeps_the_order(store):
    """A load is later than the one before it, whatever the clock says."""
    versions = Versions(store)
    versions.record(policy(), FILE, lambda: 10 * HOUR * 1_000)
    versions.record(policy(BASE.replace("prohibit", "limit")), FILE, lambda: 5 * HOUR * 1_000)
    assert [one.loaded for one in versions.loads()] == [10 * HOUR + 1, 10 * HOUR]


def test_a_version_of_another_release_is_an_error_of_one_line(store):
    """Content that the model doesn't know is a ValueError that names key and version."""
    versions = Versions(store)
    versions.record(policy(), FILE)
    store.command(
        "INSERT INTO policies (version, loaded, valid_from, content)"
        " VALUES ('old', now64(6), now64(6), '{\"x\": 1}')"
    )
    with pytest.raises(ValueError, match="version old can't be read: organisation"):
        versions.policy("old")
    assert [one.version for one in versions.record(policy(), FILE)][:2] == [policy().version, "old"]
