"""What policy prohibits, and whether the filter holds."""

from typing import Any

import pytest

from classifiers.loss import utc
from pipeline.records import address_bytes
from tests.classifiers.conftest import at
from tests.classifiers.test_verdict import RESET

HOST = "10.20.0.66"


def asked(scribe: Any, attempts: int, names: int, **values: Any) -> None:
    for number in range(attempts):
        scribe.dns(number * 40, HOST, f"n{number % names}.example", "0.0.0.0", **values)


@pytest.mark.parametrize(("attempts", "names", "found"), [(10, 3, 1), (9, 3, 0), (12, 2, 0)])
def test_repeated_prohibited_attempts(scribe, attempts, names, found):
    """Ten attempts at three prohibited names."""
    asked(scribe, attempts, names)
    findings = scribe.detect("prohibited_attempts")
    assert len(findings) == found
    if found:
        assert findings[0]["inputs"] == {
            "attempts": 10, "blocked": 10, "delivered": 0, "undecided": 0, "background": 0, "names": 3
        }  # fmt: skip


def test_a_program_s_own_attempts_are_counted_apart(scribe):
    """Names that programs reach by themselves make no repeated attempts of a host."""
    for number in range(12):
        scribe.dns(number * 20, HOST, f"telemetry.n{number}.example", "0.0.0.0")
    assert scribe.detect("prohibited_attempts") == []
    asked(scribe, 10, 3)
    (row,) = scribe.detect("prohibited_attempts")
    assert (row["inputs"]["attempts"], row["inputs"]["background"]) == (10, 12)


def test_limited_names_are_no_prohibited_attempts(scribe):
    """What policy only limits is not counted."""
    asked(scribe, 15, 5, action="limit")
    assert scribe.detect("prohibited_attempts", "filter_leak") == []


def test_leak_names_what_was_delivered(scribe):
    """A prohibited name that was delivered is a leak; a blocked one is not."""
    scribe.named(0, HOST, "203.0.113.1", "leak.example")
    scribe.dns(60, "10.20.0.67", "held.example", "10.10.0.80")
    (row,) = scribe.detect("filter_leak")
    assert row["subject"] == HOST
    assert "leak.example" in row["statement"]
    assert "52 kB" in row["statement"]


def blocked(scribe: Any, name: str, *, days: float = 1, times: int = 3, **values: Any) -> None:
    """A name that the filter blocked for others, days before."""
    for number in range(times):
        scribe.dns(number * 60 - days * 86_400, "10.20.0.90", name, "10.10.0.80", **values)


def judge_before(scribe: Any, days: float = 1) -> None:
    """Judges what lies days back, as rounds of those days would have."""
    scribe.write()
    start = -days * 86_400
    first, last = (round(at(seconds).timestamp() * 1_000_000) for seconds in (start - 60, start + 3_600))
    scribe.detectors("filter_leak").round(first, last)


CAUSES = {
    "IPv6 is not filtered": lambda s: (
        s.dns(0, HOST, "leak.example", "10.10.0.80"),
        s.dns(0, HOST, "leak.example", "2001:db8::1", qtype=28),
        s.flow(0, HOST, "203.0.113.9", client_mac=7),
        s.named(1, "fd00::66", "2001:db8::1", "leak.example", client_mac=7),
    ),
    "QUIC is not filtered": lambda s: (
        s.named(0, HOST, "203.0.113.1", "leak.example", reset_ttl_delta=9, flags_up=0x1E,
                **{**RESET, "payload_down": 900}),
        s.named(1, HOST, "203.0.113.1", "leak.example", protocol=17, name_source="quic", application="quic"),
    ),
    "asked of another resolver": lambda s: (
        s.dns(0, HOST, "leak.example", "203.0.113.1", server=address_bytes("203.0.113.53")),
        s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
    "a tunnel or encrypted DNS": lambda s: (
        s.named(0, HOST, "203.0.113.53", "resolver.example", categories=["doh"], action="allow"),
        s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
    "exempted for others or until lately": lambda s: (
        s.named(0, "10.20.0.91", "203.0.113.1", "leak.example", action="allow", clause="exemption:lesson"),
        s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
    "blocked on one path only": lambda s: (
        s.dns(0, HOST, "leak.example", "10.10.0.80"), s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
    "blocked until now": lambda s: (
        blocked(s, "leak.example"), judge_before(s), s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
    "the filter's list lags behind": lambda s: (
        blocked(s, "held.example"), judge_before(s), s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
    "the filter classifies the name otherwise": lambda s: (
        blocked(s, "held.example"), s.named(-4 * 86_400, "10.20.0.91", "203.0.113.1", "leak.example"),
        judge_before(s), judge_before(s, 4), s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
    "the filter blocks nothing of the category": lambda s: (
        blocked(s, "held.example", categories=["adult"]), judge_before(s),
        s.named(1, HOST, "203.0.113.1", "leak.example"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("cause", CAUSES)
def test_leak_has_a_cause(scribe, cause):
    """What the records show of why the filter did not hold stands in the finding."""
    CAUSES[cause](scribe)
    rows = {row["subject"]: row for row in scribe.detect("filter_leak")}
    assert f"show: {cause} (1)." in rows[HOST]["statement"]


def test_blocks_after_a_leak_are_no_cause_of_it(scribe):
    """A name that is blocked only after it was delivered was not blocked until then."""
    scribe.named(1, HOST, "203.0.113.1", "leak.example")
    for number in range(3):
        scribe.dns(300 + 60 * number, "10.20.0.90", "leak.example", "10.10.0.80")
    rows = {row["subject"]: row for row in scribe.detect("filter_leak")}
    assert "blocked until now" not in rows[HOST]["statement"]


def test_leak_counts_no_block_twice(scribe):
    """Blocks that were judged again with later rows are not more blocks of their category."""
    for later in (0, 5, 10):
        blocked(scribe, "held.example", days=1 - later / 86_400, times=2)
        judge_before(scribe)
    scribe.named(1, HOST, "203.0.113.1", "leak.example")
    (row,) = scribe.detect("filter_leak")
    assert "show: the filter blocks nothing of the category (1)." in row["statement"]


def usually_blocked(scribe: Any, names: int = 3) -> None:
    for number in range(names):
        blocked(scribe, f"n{number}.example")
    judge_before(scribe)


@pytest.mark.parametrize(("clients", "names", "held", "found"), [
    (3, 3, 0, 1), (3, 3, 3, 0),
    pytest.param(2, 3, 0, 0, marks=pytest.mark.slow), pytest.param(3, 2, 0, 0, marks=pytest.mark.slow),
    pytest.param(3, 3, 2, 1, marks=pytest.mark.slow),
])  # fmt: skip
def test_fail_open(scribe, clients, names, held, found):
    """Three names that were always blocked reach three hosts, and at most a fifth of the attempts is held."""
    usually_blocked(scribe)
    for client in range(clients):
        for name in range(names):
            scribe.named(100 * client + name, f"10.20.0.{20 + client}", "203.0.113.1", f"n{name}.example")
    for number in range(held):
        scribe.dns(50 + number, "10.20.0.50", f"n{number}.example", "10.10.0.80")
    findings = scribe.detect("fail_open")
    assert len(findings) == found
    if found:
        (row,) = findings
        assert (row["subject"], row["inputs"]["clients"], row["inputs"]["names"]) == ("demo", 3, 3)
        assert row["inputs"]["blocks"] == 9


def test_fail_open_has_a_start_and_an_end(scribe):
    """From the first delivery to the last, however long it goes on; blocks before and after are outside."""
    usually_blocked(scribe)
    scribe.dns(0, "10.20.0.50", "n0.example", "10.10.0.80")
    for minute in range(4, 24):
        for client in range(3):
            scribe.named(
                60 * minute + client, f"10.20.0.{20 + client}", "203.0.113.1", f"n{minute % 3}.example"
            )
    scribe.dns(1_700, "10.20.0.50", "n0.example", "10.10.0.80")
    (row,) = scribe.detect("fail_open", seconds=1_800)
    assert (utc(row["from"]), utc(row["to"])) == (at(240), at(60 * 23 + 2))


def days_of_blocks(scribe: Any, days: int, blocks: int, packets: int = 100_000) -> None:
    for day in range(1, days + 1):
        for number in range(blocks):
            scribe.dns(number * 60 - 86_400 * day, "10.20.0.90", f"n{number}.example", "10.10.0.80")
        scribe.health(600 - 86_400 * day, packets, 0)
        judge_before(scribe, day)


@pytest.mark.parametrize(
    ("days", "usual", "now", "packets", "found"),
    [
        (2, 20, 6, 60_000, 1),
        (2, 20, 7, 60_000, 0),
        pytest.param(1, 20, 0, 60_000, 0, marks=pytest.mark.slow),
        pytest.param(2, 19, 0, 60_000, 0, marks=pytest.mark.slow),
        pytest.param(2, 20, 0, 40_000, 0, marks=pytest.mark.slow),
    ],
)
def test_block_fall(scribe, days, usual, now, packets, found):
    """Under a third of the blocks of that hour of two days, with half of the traffic; fewer are no news."""
    days_of_blocks(scribe, days, usual)
    for number in range(now):
        scribe.dns(number * 60, "10.20.0.90", f"n{number}.example", "10.10.0.80")
    scribe.health(600, packets, 0)
    scribe.dns(1_190, HOST, "fine.example", "203.0.113.1", categories=[], action="allow")
    findings = [row for row in scribe.detect("block_fall", seconds=1_190) if utc(row["from"]) > at(-3_000)]
    assert len(findings) == found
    if found:
        assert (findings[0]["inputs"]["usual"], findings[0]["inputs"]["days"]) == (20, 2)
        assert findings[0]["inconclusive"]


def test_abuse_names_are_withheld(scribe):
    """Names of the category that is never listed stay out of statements and samples."""
    scribe.named(0, HOST, "203.0.113.1", "unspeakable.example", categories=["abuse"])
    (row,) = scribe.detect("filter_leak")
    assert "withheld" in row["statement"]
    assert "unspeakable" not in str(row)
