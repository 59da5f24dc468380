"""Parts and findings as they stand in the store."""

from dataclasses import replace

from classifiers.detector import load_detectors
from classifiers.episodes import Finding, Key, Part
from classifiers.findings import Diff, Findings, difference
from tests.classifiers.conftest import at

(DETECTOR,) = (d for d in load_detectors() if d.name == "address_scan")
NONE = Diff([], [])


def part(start: float, end: float, strength: float = 1.0, subject: str = "h") -> Part:
    piece = at(start - start % 1_800)
    inputs, samples = {"pairs": strength}, ('{"a":1}',)
    return Part(
        Key("demo", "host", subject), piece, at(start), at(end), strength, 95, "w", inputs, {}, samples, 0.5
    )


def noted(findings: Findings, *fresh: Part, gone: tuple[Part, ...] = ()) -> tuple[int, int, list[str]]:
    """New, changed and why withdrawn, once the parts are written."""
    diff = Diff(list(fresh), list(gone))
    changes = findings.changes("address_scan", diff)
    findings.write(DETECTOR, diff, changes)
    return len(changes.new), len(changes.changed), [f.withdrawn for f in changes.withdrawn]


def test_parts_come_back_as_they_were_written(scribe):
    """What was written is read again as the same parts, and differs from them in nothing."""
    findings = Findings(scribe.store)
    parts = [part(0, 60), part(0, 60, subject="other"), part(1_800, 1_900)]
    assert noted(findings, *parts) == (2, 0, [])
    there = findings.parts(at(-1), at(3_600))
    assert difference(parts, there["address_scan"]) == NONE
    assert list(findings.parts(at(1_800), at(3_600))) == ["address_scan"]


def test_a_finding_grows_and_is_told_by_its_strongest(scribe):
    """A later part within the hour changes the finding; the same again changes nothing."""
    findings = Findings(scribe.store)
    noted(findings, part(0, 60))
    assert noted(findings, part(3_600, 3_700, 5)) == (0, 1, [])
    (row,) = scribe.findings()
    assert (row["inputs"], row["strength"]) == ({"pairs": 5}, 5)
    assert noted(findings) == (0, 0, [])


def test_findings_that_meet_become_one(scribe):
    """A part between two findings joins them; the later one says of which it is part."""
    findings = Findings(scribe.store)
    noted(findings, part(0, 60), part(7_200, 7_300))
    assert len(scribe.findings()) == 2
    new, changed, why = noted(findings, part(3_600, 3_700))
    (row,) = scribe.findings()
    assert (new, changed, why) == (0, 1, [f"it is part of finding {row['id']}"])


def test_a_finding_without_parts_is_withdrawn_and_may_return(scribe):
    """Where its last part is gone a finding is withdrawn; with the part it is there again."""
    findings = Findings(scribe.store)
    noted(findings, part(0, 60))
    new, changed, (why,) = noted(findings, gone=(part(0, 60),))
    assert (new, changed) == (0, 0)
    assert "no longer bear it out" in why
    assert scribe.findings() == []
    assert noted(findings, part(0, 60)) == (1, 0, [])
    assert len(scribe.findings()) == 1


def test_long_findings_are_found_whole(scribe):
    """A finding of many hours, of which one part changes, keeps its beginning and its end."""
    findings = Findings(scribe.store)
    parts = [part(1_800 * n, 1_800 * n + 60) for n in range(40)]
    noted(findings, *parts)
    (before,) = scribe.findings()
    assert noted(findings, replace(parts[20], strength=9.0)) == (0, 1, [])
    (after,) = scribe.findings()
    assert (before["id"], before["from"], before["to"]) == (after["id"], after["from"], after["to"])
    assert after["strength"] == 9


def test_crash_before_the_parts_is_made_good(scribe, monkeypatch):
    """Findings are written first; where parts were not, the same difference is found and settled again."""
    findings = Findings(scribe.store)
    diff = Diff([part(0, 60)], [])
    findings.write(DETECTOR, NONE, findings.changes("address_scan", diff))
    assert findings.parts(at(-1), at(3_600)) == {}
    assert findings.changes("address_scan", diff).rows() == []
    assert isinstance(noted(findings, *diff.fresh), tuple)
    assert len(scribe.findings()) == 1


def test_many_subjects_are_settled_in_turns(scribe):
    """More subjects than one statement asks for are all settled."""
    findings = Findings(scribe.store)
    assert noted(findings, *(part(0, 60, subject=f"h{n}") for n in range(1_100))) == (1_100, 0, [])
    assert Finding("", part(0, 60)).withdrawn == ""
    assert len(scribe.findings()) == 1_100
