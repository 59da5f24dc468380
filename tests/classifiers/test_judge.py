"""Rows judged as of their own time."""

import tomllib
from datetime import UTC, datetime
from functools import cache

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.lists import load_matcher
from classifiers.classify import Classifier
from classifiers.explain import Client
from classifiers.judge import Judge, in_force
from classifiers.policy_model import Policy
from classifiers.policy_versions import Load
from pipeline.records import SCHEMAS
from tests.classifiers.policy_text import BASE
from tests.classifiers.rows import STUDENT, batch, classified, flow

NAME = "www.roblox.com"
lists = cache(load_matcher)
STRICT = Policy.model_validate(tomllib.loads(BASE))
MILD = Policy.model_validate(
    tomllib.loads(BASE.replace('action = "prohibit"\nclause = "A1"', 'action = "limit"'))
)
FREE = Policy.model_validate(
    tomllib.loads(BASE.replace('id = "north"', 'id = "campus"').replace('"games"', '"chat"'))
)
BY_VERSION = {one.version: one for one in (STRICT, MILD, FREE)}
#: When they were loaded: hours of one day.
LOADS = [
    Load(one.version, hour * 3_600_000_000, hour * 3_600_000_000, f"{hour}.toml", "me@here", ())
    for one, hour in ((FREE, 30), (MILD, 20), (STRICT, 10))
]


def hour(number):
    return datetime.fromtimestamp(number * 3_600, UTC)


@pytest.fixture
def judge():
    return Judge(in_force(FREE, lists(), LOADS), BY_VERSION.__getitem__)


def test_each_row_is_judged_by_the_version_of_its_time(judge):
    """A batch over three versions keeps its order; each row has action, clause, site and version."""
    hours = [35, 12, 25, 5, 20, 19, 30]
    rows = classified(judge, "flows", *(flow(NAME, at=hour(one), flow_id=n) for n, one in enumerate(hours)))
    assert [row["flow_id"] for row in rows] == list(range(7))
    assert [row["action"] for row in rows] == [
        "allow", "prohibit", "limit", "allow", "limit", "prohibit", "allow",
    ]  # fmt: skip
    expected = [FREE, STRICT, MILD, FREE, MILD, STRICT, FREE]
    assert [row["policy_version"] for row in rows] == [one.version for one in expected]
    assert [row["site"] for row in rows] == [one.sites[0].id for one in expected]
    assert [row["clause"] for row in rows] == ["", "A1", "", "", "", "A1", ""]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 40), max_size=30), st.sampled_from(sorted(SCHEMAS)))
def test_a_split_batch_is_what_each_row_alone_would_be(hours, records):
    """However event times are mixed, and whatever the kind, the rows are those of one classifier each."""
    judge = Judge(in_force(FREE, lists(), LOADS), BY_VERSION.__getitem__)
    rows = [
        {"client": STUDENT, "qname": NAME, "server_name": NAME, "ip": STUDENT, "sensor": f"s{n}",
         "start": one * 3_600_000_000, "ts": one * 3_600_000_000}
        for n, one in enumerate(hours)
    ]  # fmt: skip
    known = set(SCHEMAS[records].names)
    rows = [{name: value for name, value in row.items() if name in known} for row in rows]
    whole = judge.classify(records, batch(records, *rows), "s")
    whole.validate(full=True)
    expected = []
    for row, one in zip(rows, hours, strict=True):
        policy = FREE if one < 10 or one >= 30 else STRICT if one < 20 else MILD
        expected += Classifier(policy, lists()).classify(records, batch(records, row), "s").to_pylist()
    assert whole.to_pylist() == expected
    assert whole.schema == judge.classify(records, batch(records), "s").schema


def test_health_names_the_versions_of_its_time(judge):
    """A health row has the policy that was valid then, and the lists in force."""
    rows = classified(judge, "health", {"ts": 12 * 3_600_000_000}, {"ts": 33 * 3_600_000_000})
    assert [row["policy"] for row in rows] == [STRICT.version, FREE.version]
    assert {row["lists"] for row in rows} == {lists().version}


def test_an_explanation_is_as_of_its_time(judge):
    """Explaining asks the version of the moment, and says since when and until when it was valid."""
    told = judge.explain(NAME, at=hour(25), client=Client(STUDENT))
    assert told["judged"]["action"] == "limit"
    assert told["policy"] == {
        "version": MILD.version,
        "valid_from": "1970-01-01T20:00:00Z",
        "valid_until": "1970-01-02T06:00:00Z",
        "file": "20.toml",
    }
    assert judge.explain(NAME, at=hour(5))["policy_version"] == FREE.version


def test_without_versions_one_policy_is_for_all_times():
    """Where no store tells of versions the file's policy judges everything."""
    judge = Judge(in_force(STRICT, lists()))
    assert {row["action"] for row in classified(judge, "flows", flow(NAME, at=hour(0)), flow(NAME))} == {
        "prohibit"
    }
    assert judge.policy is STRICT
    assert judge.standing()["policy"]["version"] == STRICT.version


def test_a_lost_version_is_judged_by_what_the_file_says(caplog):
    """A version whose content is gone or unreadable costs a warning, and no row."""

    def lost(version):
        raise ValueError(f"version {version} can't be read")

    judge = Judge(in_force(FREE, lists(), LOADS), lost)
    (row,) = classified(judge, "flows", flow(NAME, at=hour(12)))
    assert (row["action"], row["policy_version"]) == ("allow", FREE.version)
    assert "can't be read; its events are judged by" in caplog.text
    caplog.clear()
    classified(judge, "flows", flow(NAME, at=hour(12)))
    assert not caplog.text


def test_a_store_that_fails_is_an_error_to_try_again():
    """Where the store can't be asked for a version, the batch is not judged by another."""

    def down(version):
        raise OSError("the store is down")

    with pytest.raises(OSError, match="down"):
        classified(Judge(in_force(FREE, lists(), LOADS), down), "flows", flow(NAME, at=hour(12)))


def test_what_is_adopted_holds_from_the_next_batch(judge):
    """A new policy is in force at once, and what was asked of the old state is still answered by it."""
    judge.adopt(in_force(STRICT, lists()))
    assert classified(judge, "flows", flow(NAME))[0]["action"] == "prohibit"
    assert judge.policy is STRICT


def test_tables_of_the_past_are_bounded():
    """Of very many versions the latest used are kept ready."""
    loads = [Load(f"v{n}", n * 3_600_000_000, n * 3_600_000_000, "", "", ()) for n in range(40, 0, -1)]
    asked = []

    def recall(version):
        asked.append(version)
        return FREE

    judge = Judge(
        in_force(
            FREE, lists(), [Load(FREE.version, 41 * 3_600_000_000, 41 * 3_600_000_000, "", "", ()), *loads]
        ),
        recall,
    )
    for _ in range(2):
        rows = classified(judge, "flows", *(flow(NAME, at=hour(n)) for n in range(1, 41)))
        assert len(rows) == 40
    assert len(asked) == 80


def test_a_range_is_cut_where_another_version_became_valid(judge):
    """Parts of a range touch, lose nothing, and have the version of their time each."""
    at = lambda number: number * 3_600_000_000  # noqa: E731
    parts = judge.parts(at(5), at(25))
    assert [(one.version, a, b) for one, a, b in parts] == [
        (FREE.version, at(5), at(10) - 1),
        (STRICT.version, at(10), at(20) - 1),
        (MILD.version, at(20), at(25)),
    ]
    assert [one.version for one, _, _ in judge.parts(at(35), at(36))] == [FREE.version]


def test_an_empty_batch_has_the_columns(judge):
    """A batch without rows is classified like any other."""
    out = judge.classify("flows", batch("flows"), "s")
    assert (out.num_rows, isinstance(out, pa.RecordBatch)) == (0, True)
