"""Verdicts against the truth: the join, the rates and their intervals."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.filters.judge import Judged
from tests.lab.filters.play import Tried
from tests.lab.filters.scenario import PLAIN, STOPPED, Cell, Outcome, Scenario, Visit
from tests.lab.filters.score import Scored, Share, combined, compare, precision, recall, wrong
from tests.lab.filters.topology import FILTER_OUTSIDE

CELL = Cell("curl", "4", "tls13")
SCENARIO = Scenario("made", "made for this test", lambda lab: None)
ROW = Judged(
    "made", 0.0, "10.20.1.1", f"a-1.{STOPPED}", 1.0, 2.0, "blocked", "dns_refused", 95, (), (), (1, 0, 0)
)
CASE = Scored("made", "lan", True, 0.0, "curl", "4", "tls13", "blocked", False, "blocked", "", False, "")


def tried(name: str, truth: str, client: str = "pupil41", *, stopped: bool = True) -> Tried:
    """A visit of that truth."""
    got = {"delivered": "page", "resolved": "address"}.get(truth, "nothing")
    return Tried(Outcome(Visit(client, name, CELL), got, 1.0, 2.0, 0, 0), stopped, truth)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((), "unseen"),
        (("inconclusive",), "inconclusive"),
        (("inconclusive", "allowed"), "allowed"),
        (("blocked", "inconclusive"), "blocked"),
        (("blocked", "allowed"), "partial"),
        (("partial", "blocked"), "partial"),
    ],
)
def test_addresses_of_one_client_are_judged_together(verdicts: tuple[str, ...], expected: str) -> None:
    """What arrived over one family outranks a block over the other, and both together are partial."""
    assert combined([replace(ROW, verdict=verdict) for verdict in verdicts])[0] == expected


def test_an_attempt_is_joined_by_client_and_name() -> None:
    """Another client's verdict, or one at another loss, is not this visit's."""
    entries = [tried(ROW.name, "blocked"), tried(ROW.name, "delivered", "pupil42")]
    rows = [
        ROW,
        replace(ROW, client="10.20.1.2", verdict="allowed"),
        replace(ROW, loss=0.05, verdict="partial"),
    ]
    cases = compare(SCENARIO, "lan", True, 0.0, entries, rows)
    assert [(case.truth, case.verdict) for case in cases] == [
        ("blocked", "blocked"),
        ("delivered", "allowed"),
    ]
    cases = compare(SCENARIO, "lan", True, 0.0, entries, rows[1:])
    assert [(case.truth, case.verdict) for case in cases] == [("blocked", "unseen"), ("delivered", "allowed")]


def test_the_filter_boxs_own_attempts_stand_apart() -> None:
    """What a proxy fetched for a client is compared with what a client got, and counts for no recall."""
    entries = [tried(ROW.name, "blocked"), tried(ROW.name, "delivered", "pupil42")]
    row = replace(ROW, client=FILTER_OUTSIDE, verdict="allowed")
    cases = compare(SCENARIO, "wan", True, 0.0, entries, [row])
    assert [case.truth for case in cases if case.own] == ["delivered"]
    assert recall(cases, "allowed") == Share(0, 1)
    assert precision(cases, "allowed") == Share(1, 1)


def test_an_unlisted_name_counts_only_where_it_was_judged() -> None:
    """Names of no list are no attempts unless something plainly stopped them."""
    name = f"plain0.{PLAIN}"
    assert compare(SCENARIO, "lan", True, 0.0, [tried(name, "delivered")], []) == []
    row = replace(ROW, name=name)
    cases = compare(SCENARIO, "lan", True, 0.0, [tried(name, "delivered", stopped=False)], [row])
    assert wrong(cases) == cases


@pytest.mark.parametrize(
    ("truth", "verdict", "is_wrong"),
    [
        ("blocked", "blocked", False),
        ("failed", "blocked", True),
        ("delivered", "blocked", True),
        ("failed", "inconclusive", False),
        ("blocked", "allowed", True),
        ("resolved", "allowed", True),
        ("connected", "allowed", False),
        ("connected", "inconclusive", False),
        ("connected", "blocked", True),
        ("delivered", "partial", False),
        ("blocked", "partial", True),
        ("blocked", "unseen", False),
    ],
)
def test_only_a_false_statement_is_wrong(truth: str, verdict: str, is_wrong: bool) -> None:
    """Inconclusive and unseen claim nothing."""
    assert bool(wrong([replace(CASE, truth=truth, verdict=verdict)])) is is_wrong


def test_partial_is_a_delivery() -> None:
    """It counts for the recall of what was delivered; of what no tap showed, only where that is asked."""
    cases = [
        replace(CASE, truth="delivered", verdict=verdict) for verdict in ("allowed", "partial", "unseen")
    ]
    assert recall(cases, "allowed") == Share(2, 3)
    assert recall(cases, "allowed", seen=True) == Share(2, 2)


def test_an_interval_is_wilsons() -> None:
    """8 of 10 lie between 49.0 and 94.3 % (Newcombe 1998 gives the formula; worked by hand)."""
    low, high = Share(8, 10).interval
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_share(numbers: tuple[int, int]) -> None:
    """Within 0 and 1, around the share, and wider than nothing."""
    share = Share(*numbers)
    low, high = share.interval
    assert share.value is not None
    assert 0 <= low <= share.value + 1e-12
    assert share.value - 1e-12 <= high <= 1
    assert low < high


def test_no_cases_have_no_share() -> None:
    """Unknown is not zero."""
    assert str(Share(0, 0)) == "–"
    assert Share(0, 0).interval == (0.0, 1.0)
