"""Detectors run again over history, with other thresholds."""

import pytest

from blocklists.lists import load_matcher
from classifiers.detector import DetectorError, load_detectors
from classifiers.judge import Judge, in_force
from classifiers.rerun import chosen, parse_override, plain, rerun, thresholds
from tests.classifiers.conftest import at, make_policy
from tests.classifiers.test_detect import scan

SCAN = chosen(load_detectors(), ["port_scan"])


def ports(scribe, number: int, client: str = "10.20.0.66", start: float = 0) -> None:
    for port in range(number):
        scribe.failed(start + port * 0.1, client, "10.10.0.1", 1_000 + port)


def again(scribe, write: bool = False, site: str | None = None, **numbers: float):
    judge = Judge(in_force(make_policy(), load_matcher()))
    (told,) = rerun(scribe.store, judge, at(0), at(900), SCAN, {"port_scan": numbers}, site, write)
    return told


def test_as_stored_nothing_changes(scribe):
    """Without other thresholds what is stored is found again, and nothing else."""
    ports(scribe, 60)
    before = scribe.detect("port_scan")
    told = again(scribe)
    assert told.changes.rows() == []
    assert [finding.id for finding in told.same] == [row["id"] for row in before]


def test_a_lower_threshold_finds_more_and_writes_only_when_told(scribe):
    """What a lower threshold would find is shown, then kept; a higher one takes it away with its reason."""
    ports(scribe, 60)
    ports(scribe, 30, "10.20.0.67", 60)
    assert len(scribe.detect("port_scan")) == 1
    told = again(scribe, inside_pairs=20)
    assert [f.told.key.subject for f in told.changes.new] == ["10.20.0.67"]
    assert len(told.changes.changed) == 1
    assert len(scribe.findings()) == 1
    again(scribe, write=True, inside_pairs=20)
    assert {row["thresholds"]["inside_pairs"] for row in scribe.findings()} == {20}
    assert again(scribe, inside_pairs=20).changes.rows() == []
    gone = again(scribe, write=True, inside_pairs=1_000).changes.withdrawn
    assert len(gone) == 2
    assert scribe.findings() == []
    assert plain(SCAN[0], "gone", gone[0])["withdrawn"]


def test_a_site_alone(scribe):
    """Findings of other sites are neither shown nor written."""
    ports(scribe, 60)
    scribe.write()
    assert again(scribe, write=True, site="other").changes.rows() == []
    assert scribe.findings() == []


def test_what_is_written_holds_until_its_time_is_judged_again(scribe):
    """A round over the same records goes back to the policy's thresholds."""
    scan(scribe, 0)
    ports(scribe, 30)
    scribe.detect("port_scan")
    again(scribe, write=True, inside_pairs=20)
    assert len(scribe.findings()) == 1
    assert scribe.detect("port_scan") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inside_pairs", "sets nothing; write DETECTOR.PARAMETER=NUMBER"),
        ("port_scan.inside_pairs=many", "sets nothing"),
        ("port_scan.inside_pears=3", "no parameter 'inside_pears'; there is inside_pairs"),
        ("port_scam.inside_pairs=3", "no detector 'port_scam'; there is port_scan"),
        ("=3", "sets nothing"),
        ("inside_pairs=nan", "sets nothing"),
    ],
)
def test_wrong_overrides_name_what_is_near(text, message):
    """An override that fits nothing is refused with the nearest names."""
    with pytest.raises(DetectorError, match=message):
        thresholds(load_detectors(), dict([parse_override(text)]))


def test_an_override_without_a_detector_is_for_all_that_have_it():
    """A bare parameter is set in each chosen detector that has it."""
    some = chosen(load_detectors(), ["port_scan", "address_scan"])
    found = thresholds(
        some, dict([parse_override("inside_pairs=9"), parse_override("port_scan.few_ports=2")])
    )
    assert found == {"address_scan": {"inside_pairs": 9}, "port_scan": {"inside_pairs": 9, "few_ports": 2}}
