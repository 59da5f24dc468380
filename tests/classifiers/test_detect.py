"""Headers of detector files, rounds, and findings that are extended instead of repeated."""

from pathlib import Path

import pytest

from classifiers.detect import GIVEN, Detectors
from classifiers.detector import (
    FOLDER,
    DetectorError,
    load_detectors,
    parse_detector,
    sentence,
    used_parameters,
)
from classifiers.facts import FACT_NAMES
from classifiers.loss import MEASURED_BYTES
from classifiers.periods import PERIOD_NAMES
from tests.classifiers.conftest import at, make_policy

HEADER = """\
-- title: A thing
-- class: scanning
-- states: {subject} did {things}
--   things.
-- subject: host
-- severity: low
-- clause: S9
-- window: 15m
-- step: 1m
-- lookback: 0s
-- reads: flows, dns
-- rests_on: presence
-- parameter least: 5 | [S] a paper | things
SELECT {least:Float64}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "thing.sql"
    path.write_text(text)
    return path


def test_header_is_parsed(tmp_path):
    """A header gives name, sentence over several lines, spans in seconds and numbers with source."""
    detector = parse_detector(written(tmp_path, HEADER))
    assert (detector.name, detector.window, detector.step, detector.reads) == (
        "thing",
        900,
        60,
        ("flows", "dns"),
    )
    assert detector.states == {"": "{subject} did {things} things."}
    (parameter,) = detector.parameters
    assert (parameter.name, parameter.default, parameter.source) == ("least", 5, "[S] a paper")
    assert detector.needs == {}
    assert detector.thresholds({"least": 7}) == {"least": 7}
    assert used_parameters(detector.sql) == {"least"}


def test_conditions_on_rows_are_parsed(tmp_path):
    """A header says by table which rows count, by facts and its own parameters; sums stand on flows."""
    needs = (
        "-- needs flows: logins >= {least:Float64}\n-- needs dns: NOT has({resolvers:Array(IPv6)}, server)\n"
    )
    text = HEADER.replace("-- clause", needs + "-- clause").replace("reads: flows", "reads: traffic_1m")
    detector = parse_detector(written(tmp_path, text))
    assert detector.needs == {
        "flows": "logins >= {least:Float64}",
        "dns": "NOT has({resolvers:Array(IPv6)}, server)",
    }


TWO = """\
SELECT client FROM flows WHERE bytes_up > {least:Float64}
;
SELECT 1 WHERE x IN {suspects:Array(IPv6)}
"""


def test_suspects_are_a_statement_before_the_other(tmp_path):
    """Of two SELECTs the first gives suspects; the second can ask for them by itself, too."""
    one = parse_detector(written(tmp_path, HEADER))
    assert (one.suspects, one.apart) == ("", False)
    text = HEADER.replace("SELECT {least:Float64}\n", TWO)
    two = parse_detector(written(tmp_path, text))
    assert (two.suspects, two.apart) == (text.partition("\n;\n")[0], False)
    assert two.sql == "SELECT 1 WHERE x IN {suspects:Array(IPv6)}\n"
    assert two.every_suspect() == f"SELECT 1 WHERE x IN (\n{two.suspects})\n"
    assert parse_detector(written(tmp_path, text.replace("-- clause", "-- suspects: piece\n-- clause"))).apart
    for broken in (
        text.replace(" WHERE x IN {suspects:Array(IPv6)}", ""),
        text.replace("\n;\n", "\n"),
        f"{text};\n{text}",
    ):
        with pytest.raises(
            DetectorError, match=r"thing\.sql: a SELECT of suspects goes before one that names"
        ):
            parse_detector(written(tmp_path, broken))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("-- title: A thing\n", "", r"thing\.sql:1: the header has no title"),
        ("-- class: scanning", "-- class: crimes", r":2: class: 'crimes' is none of scanning"),
        ("-- clause: S9", "-- clause: S9\n-- colour: red", r":8: unknown key 'colour'"),
        ("-- clause: S9", "-- clause: S9\n-- clause: S9", r":8: clause stands twice"),
        ("window: 15m", "window: a while", r":8: window: 'a while' is no span"),
        ("step: 1m", "step: 7m", r":9: step: the window must be a whole number of steps"),
        ("reads: flows, dns", "reads: files", r":11: reads: 'files' is none of"),
        ("5 | [S] a paper | things", "5 | rumour | things", r":13: parameter least: write default"),
        ("5 | [S] a paper | things", "many | [D] | things", r":13: parameter least: 'many' is no number"),
        ("-- title: A thing", "--title: A thing", r":1: not a header line"),
        (
            "-- clause: S9",
            "-- clause: S9\n-- needs: failed",
            r":8: unknown key 'needs'; use one of .* needs TABLE",
        ),
        (
            "-- clause: S9",
            "-- clause: S9\n-- needs health: drops > 0",
            r":8: needs health: its rows are not read",
        ),
        ("-- clause: S9", "-- clause: S9\n-- needs flows:", r":8: needs flows: write one condition"),
        (
            "-- clause: S9",
            "-- clause: S9\n-- needs flows: true; false",
            r":8: needs flows: write one condition",
        ),
        (
            "-- clause: S9",
            "-- clause: S9\n-- needs flows: logins > {since:UInt8}",
            r":8: needs flows: 'since' is neither",
        ),
    ],
)
def test_broken_header_names_file_and_line(tmp_path, old, new, message):
    """Every fault of a header is an error that says where it is."""
    with pytest.raises(DetectorError, match=message):
        parse_detector(written(tmp_path, HEADER.replace(old, new)))


def test_shipped_detectors_hold_together():
    """Every shipped file parses, binds only what exists, and uses each of its parameters."""
    detectors = load_detectors()
    assert len(detectors) == len(list(FOLDER.glob("*.sql"))) >= 14
    for detector in detectors:
        names = {parameter.name for parameter in detector.parameters}
        used = used_parameters(detector.sql) | used_parameters(detector.suspects)
        assert names <= used, detector.name
        assert used - names - FACT_NAMES - PERIOD_NAMES <= GIVEN


def test_policy_overrides_thresholds():
    """Thresholds of the policy are in force; unknown detectors and parameters are refused."""
    detectors = Detectors(None, make_policy(thresholds={"address_scan": {"inside_pairs": 80}}))
    assert detectors.in_force("address_scan")["inside_pairs"] == 80
    with pytest.raises(
        DetectorError, match=r"thresholds\.adress_scan: no such detector; there are .*address_scan"
    ):
        Detectors(None, make_policy(thresholds={"adress_scan": {}}))
    with pytest.raises(DetectorError, match=r"unknown parameter 'pairs'; it has .*inside_pairs"):
        Detectors(None, make_policy(thresholds={"address_scan": {"pairs": 1}}))


def test_sql_with_an_unknown_parameter_is_refused(tmp_path):
    """A statement that binds what neither header nor policy gives is an error at start."""
    detector = parse_detector(written(tmp_path, HEADER + "\n, {most:Float64}"))
    with pytest.raises(DetectorError, match="detector thing: unknown parameter 'most'"):
        Detectors(None, make_policy(), (detector,))


def test_sentence_shows_whole_numbers_plainly():
    """Whole numbers stand without decimals, others with two, thousands apart."""
    text = sentence("{a} {b} {c} {d}", {"a": 31.0, "b": 0.256, "c": 12_345.0, "d": "x"})
    assert text == "31 0.26 12,345 x"
    assert (
        sentence("{a:port} {b:address} {a:address}", {"a": 2.0, "b": 1.0}) == "2 ports 1 address 2 addresses"
    )


def scan(scribe, start: float, hosts: int = 60) -> None:
    for number in range(hosts):
        scribe.failed(start + number * 0.1, "10.20.0.66", f"10.10.1.{number}")


def us(seconds: float) -> int:
    return int(at(seconds).timestamp() * 1_000_000)


def test_live_rounds_extend_one_finding(scribe):
    """Rounds over a scan as it goes on keep one finding, whose end moves."""
    detectors = scribe.detectors("address_scan")
    ends = []
    for minute in range(0, 40, 10):
        scan(scribe, minute * 60)
        scribe.write()
        detectors.round(us(minute * 60), us(minute * 60 + 10))
        (row,) = scribe.findings()
        ends.append(row["to"])
    assert ends == sorted(set(ends))
    assert row["from"] == "2026-03-02T10:20:00.000000Z"


def test_scan_over_a_window_boundary_is_seen_once(scribe):
    """Half of a scan before a full quarter of an hour and half after it are one finding."""
    boundary = 600.0
    scan(scribe, boundary - 3, 60)
    assert len(scribe.detect("address_scan")) == 1


def test_late_rows_complete_a_finding(scribe):
    """Rows of an earlier minute that come in a later round are counted with those already there."""
    detectors = scribe.detectors("address_scan")
    for number in range(30, 60):
        scribe.failed(60 + number * 0.1, "10.20.0.66", f"10.10.1.{number}")
        scribe.flow(-900, "10.30.0.1", f"10.10.1.{number}", payload_down=100)
        scribe.flow(-900, "10.30.0.1", f"10.10.1.{number - 30}", payload_down=100)
    scribe.write()
    assert detectors.round(us(60), us(70)).findings == 0
    for number in range(30):
        scribe.failed(number * 0.1, "10.20.0.66", f"10.10.1.{number}")
    scribe.write()
    assert detectors.round(us(0), us(5)).findings == 1
    assert scribe.findings()[0]["inputs"]["pairs"] == 60


@pytest.mark.parametrize(("dropped", "inconclusive"), [(0, False), (10, False), (11, True)])
def test_loss_marks_findings_that_rest_on_absence(scribe, dropped, inconclusive):
    """More than 1 % of loss in the window marks a scan, which rests on silence, as inconclusive."""
    scan(scribe, 0)
    scribe.health(30, 1_000 - dropped, dropped)
    scribe.flow(30, "10.30.0.1", "203.0.113.1", bytes_down=MEASURED_BYTES)
    (row,) = scribe.detect("address_scan")
    assert row["loss"] == pytest.approx(dropped / 1_000)
    assert row["inconclusive"] is inconclusive


def test_unknown_loss_marks_findings_that_rest_on_absence(scribe):
    """Where no sensor reported, the loss is null, and a scan, which rests on silence, inconclusive."""
    scan(scribe, 0)
    (row,) = scribe.detect("address_scan")
    assert (row["loss"], row["inconclusive"]) == (None, True)


def test_bytes_never_seen_are_loss_too(scribe):
    """Acknowledged bytes that the mirror never showed count as loss, though no frame was dropped."""
    scan(scribe, 0)
    scribe.flow(1, "10.30.0.1", "203.0.113.1", bytes_down=900_000, lost=100_000)
    (row,) = scribe.detect("address_scan")
    assert row["loss"] == pytest.approx(0.1)


def test_hostile_text_is_made_printable(scribe):
    """Control characters of a DHCP message don't reach a statement, and its length is bounded."""
    scribe.sighting(0, "dhcp_offer", 0xBAD, "192.168.1.1", "10.0.0.1", router="\x1b[2J\n" + "A" * 70_000)
    (row,) = scribe.detect("rogue_dhcp")
    assert row["statement"].isprintable()
    assert len(row["statement"]) < 1_000
    assert all(len(sample) <= 1_000 for sample in row["samples"])


def test_findings_live_on_through_a_new_runner(scribe):
    """A runner started anew goes on with what the last one wrote."""
    scan(scribe, 0)
    before = scribe.detect("address_scan")
    scan(scribe, 1_800)
    after = scribe.detect("address_scan", seconds=1_900)
    assert [row["id"] for row in after] == [row["id"] for row in before]
    assert after[0]["to"] > before[0]["to"]


@pytest.mark.slow
def test_range_of_decades_is_judged_where_there_are_records(scribe):
    """A packet with a wild clock makes the range years long; the round looks only where records are."""
    scan(scribe, 0)
    scribe.named(5, "10.20.0.9", "203.0.113.9", "a.example")
    scribe.flow(-86_400 * 365 * 20, "10.20.0.9", "203.0.113.9")
    scribe.flow(86_400 * 365 * 10, "10.20.0.9", "203.0.113.9")
    scribe.write()
    detectors = scribe.detectors("address_scan", "filter_leak")
    wide = us(-86_400 * 365 * 20), us(86_400 * 365 * 10)
    assert detectors.round(*wide) == (1, 2)
    assert detectors.round(*wide) == (0, 0)


def test_reference_names_every_detector_and_default():
    """docs/detectors.md lists each detector; its class's page has statements and parameters as in force."""
    docs = FOLDER.parent.parent / "docs"
    listed = (docs / "detectors.md").read_text("utf-8")
    for detector in load_detectors():
        page = f"detectors/{detector.kind}.md"
        place = f"[{detector.name}]({page}#{detector.name})"
        assert f"| {place} | {detector.title} | {detector.kind} | {detector.severity} |\n" in listed
        _, found, section = (docs / page).read_text("utf-8").partition(f"## {detector.name}\n")
        assert found, detector.name
        section = section.partition("\n##")[0]
        for text in detector.states.values():
            assert text in section
        for p in detector.parameters:
            assert f"| `{p.name}` | {p.default:g} | {p.source} | {p.meaning} |" in section


def _asked(scribe, first, last, *names, **policy):
    """Pieces that each detector was asked about in a round, by its name."""
    detectors = tuple(d for d in load_detectors() if d.name in names)
    judge, asked = Detectors(scribe.store, make_policy(**policy), detectors), []
    found = judge._asking.found

    def watched(detector, pieces):
        asked.extend((detector.name, start) for start, _ in pieces)
        return found(detector, pieces)

    judge._asking.found = watched
    judge.round(*(round(at(second).timestamp() * 1_000_000) for second in (first, last)))
    return sorted(asked)


def test_detectors_are_asked_where_new_rows_can_tell_them_something(scribe):
    """Rows that fulfil no condition of a detector leave it alone; one that does is judged in its piece."""
    names = ("ssh_carrier", "adaptive_streaming", "elephant_flow", "address_scan")
    scribe.flow(0, "10.20.0.1", "203.0.113.1", application="ssh", bursts_down=3)
    scribe.flow(2_400, "10.20.0.1", "203.0.113.1", bytes_down=50_000_000)
    scribe.write()
    early, late = at(-1_200), at(2_400)
    assert _asked(scribe, 0, 10, *names) == [
        ("adaptive_streaming", early), ("address_scan", early), ("address_scan", late), ("ssh_carrier", early)
    ]  # fmt: skip
    assert _asked(scribe, 2_390, 2_410, *names) == [("address_scan", at(2_400)), ("elephant_flow", at(2_400))]
    raised = {"thresholds": {"elephant_flow": {"megabytes_min": 5_000}}}
    assert _asked(scribe, 2_390, 2_410, "elephant_flow", **raised) == []


def test_what_was_found_is_judged_without_new_rows_that_could_make_it(scribe):
    """Rows that only take away from a finding have it judged again."""
    scribe.flow(0, "10.20.0.1", "203.0.113.1", bytes_down=6_000_000_000)
    scribe.write()
    assert _asked(scribe, 0, 10, "elephant_flow") == [("elephant_flow", at(-1_200))]
    assert scribe.findings()
    scribe.flow(60, "10.20.0.1", "203.0.113.1")
    scribe.write()
    assert _asked(scribe, 60, 70, "elephant_flow") == [("elephant_flow", at(-1_200))]
