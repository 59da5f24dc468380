"""Detectors that follow the versions of the policy."""

from blocklists.lists import load_matcher
from classifiers.judge import Judge, in_force
from classifiers.policy_versions import Load
from classifiers.rounds import Rounds
from tests.classifiers.conftest import at, make_policy

SCANNER, TARGETS = "10.20.0.9", [f"10.20.1.{n}" for n in range(1, 120)]


def _us(seconds):
    return round(at(seconds).timestamp() * 1_000_000)


def scans(scribe, policy, loads=(), recall=None):
    """Findings of address scans, by the policy or its versions, over an hour of two bursts."""
    for begin in (0, 2_400):
        for n, target in enumerate(TARGETS):
            scribe.failed(begin + n * 0.2, SCANNER, target)
    scribe.write()
    rounds = Rounds(scribe.store, Judge(in_force(policy, load_matcher(), loads), recall))
    done = rounds.round(_us(0), _us(3_000))
    rows = scribe.store.rows(
        "SELECT `from` FROM findings FINAL WHERE detector = 'address_scan' ORDER BY `from`"
    )
    assert done.findings >= len(rows)
    return [row["from"] for row in rows]


def test_each_version_detects_in_its_own_time(scribe):
    """A machine that became an approved scanner is found before, and no more after."""
    before = make_policy()
    after = make_policy(approved={"scanners": ["10.20.0.9/32"]})
    loads = [Load(after.version, _us(1_200), _us(1_200), "", "", ()), Load(before.version, 0, 0, "", "", ())]
    versions = {before.version: before, after.version: after}
    found = scans(scribe, after, loads, versions.__getitem__)
    assert len(found) == 1
    assert found[0].startswith(f"{at(0):%Y-%m-%dT%H:%M}")


def test_without_versions_one_policy_detects(scribe):
    """By one policy alone both bursts are found, or none."""
    assert scans(scribe, make_policy())
    assert not scans_again(scribe)


def scans_again(scribe):
    scribe.store.command("TRUNCATE TABLE findings")
    judge = Judge(in_force(make_policy(approved={"scanners": ["10.20.0.9/32"]}), load_matcher()))
    return Rounds(scribe.store, judge).round(_us(0), _us(3_000)).findings


def test_a_threshold_of_a_detector_that_is_gone_stops_nothing(scribe):
    """A version of the past with a threshold this release doesn't know is detected by the one in force."""
    old = make_policy(thresholds={"gone": {"x": 1.0}})
    now = make_policy()
    loads = [Load(now.version, _us(1_200), _us(1_200), "", "", ()), Load(old.version, 0, 0, "", "", ())]
    assert scans(scribe, now, loads, {old.version: old}.__getitem__)


def test_rows_of_a_new_version_change_no_attempt_of_an_old_one(scribe):
    """What became a sinkhole later was none before: the old attempt stays, the next is blocked."""
    before = make_policy()
    after = make_policy(filter={"sinkholes": ["10.10.0.80", "10.10.0.90"]})
    loads = [Load(after.version, _us(300), _us(300), "", "", ()), Load(before.version, 0, 0, "", "", ())]
    versions = {before.version: before, after.version: after}
    rounds = Rounds(scribe.store, Judge(in_force(after, load_matcher(), loads), versions.__getitem__))
    scribe.dns(250, "10.20.0.7", "www.example.org", "10.10.0.90")
    scribe.write()
    rounds.round(_us(200), _us(290))
    scribe.dns(340, "10.20.0.7", "www.example.org", "10.10.0.90")
    scribe.write()
    rounds.round(_us(310), _us(700))
    verdicts = [
        (row["window_start"] < f"{at(300):%Y-%m-%dT%H:%M:%S}", row["mechanism"]) for row in scribe.attempts()
    ]
    assert verdicts == [(True, ""), (False, "dns_sinkhole")]
    rounds.round(_us(200), _us(700))
    assert [row["mechanism"] for row in scribe.attempts()] == ["", "dns_sinkhole"]
