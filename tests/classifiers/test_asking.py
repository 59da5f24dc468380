"""Suspects, and what statements say of them."""

from datetime import timedelta

import pytest

from classifiers.asking import near
from classifiers.detector import load_detectors
from tests.classifiers.conftest import at


def _pieces(*halves):
    half = timedelta(minutes=30)
    return [(at(0) + half * number, at(0) + half * (number + 1)) for number in halves]


def test_pieces_near_each_other_are_asked_about_together():
    """Two hours at most, gaps included; one by one where suspects are those of a piece."""
    one, two, four, nine, ten = pieces = _pieces(0, 1, 3, 8, 9)
    assert near(pieces, apart=False) == [[one, two, four], [nine, ten]]
    assert near(pieces, apart=True) == [[piece] for piece in pieces]
    assert near([], apart=False) == []


@pytest.mark.parametrize("told", [1, 2, 1_000])
def test_findings_are_the_same_however_many_suspects_there_are(scribe, monkeypatch, told):
    """Suspects that are too many to be told are asked for inside of the statement."""
    monkeypatch.setattr("classifiers.asking.SUSPECTS_TOLD", told)
    for start, client in ((0, "10.20.0.66"), (1_500, "10.20.0.67")):
        for number in range(60):
            scribe.failed(start + number * 0.1, client, f"10.10.1.{number}")
            scribe.failed(start + number * 0.1, client, "10.10.2.1", 1_000 + number)
    found = scribe.detect("address_scan", "port_scan", "random_walk", seconds=1_800)
    assert sorted((row["detector"], row["subject"]) for row in found) == [
        (detector, client)
        for detector in ("address_scan", "port_scan", "random_walk")
        for client in ("10.20.0.66", "10.20.0.67")
    ]


def _asks_for(scribe, name, told):
    """Suspects of a detector over twelve hours, were its list so long."""
    (detector,) = (d for d in load_detectors() if d.name == name)
    suspects = detector.suspects.replace("LIMIT 1000", f"LIMIT {told}")
    assert suspects != detector.suspects
    rows = scribe.detectors(name)._asking._asked(detector, suspects, at(0), at(12 * 3_600))
    return sorted(row["client"] for row in rows)


@pytest.mark.parametrize("name", ["random_walk", "slow_scan"])
def test_an_address_of_several_sites_takes_one_place_among_suspects(scribe, name):
    """Private addresses repeat between schools: a list that is cut is as long as it may be."""
    for client, hosts in (("10.20.0.66", 65), ("10.20.0.67", 55)):
        for number in range(hosts):
            for site in ("demo", "north", "south"):
                where = number % 5 * 3_600 + number
                if name == "random_walk":
                    where = number
                scribe.failed(where, client, f"10.10.1.{number}", site=site)
    scribe.write()
    assert _asks_for(scribe, name, 2) == ["10.20.0.66", "10.20.0.67"]
    assert _asks_for(scribe, name, 1) == ["10.20.0.66"]


def test_without_suspects_nothing_else_is_asked(scribe):
    """One statement about two pieces, and an answer for each of them."""
    for second in (0, 1_500):
        scribe.failed(second, "10.20.0.66", "10.10.1.1")
    scribe.write()
    (detector,) = (d for d in load_detectors() if d.name == "address_scan")
    judge, asked = scribe.detectors("address_scan"), []
    rows = scribe.store.rows

    def watched(sql, parameters=None):
        asked.append(sql)
        return rows(sql, parameters)

    judge._asking._store = type("Watched", (), {"rows": staticmethod(watched)})()
    pieces = [(at(-1_200), at(600)), (at(600), at(2_400))]
    assert judge._asking.found(detector, pieces) == [[], []]
    assert len(asked) == 1
    assert detector.suspects in asked[0]
