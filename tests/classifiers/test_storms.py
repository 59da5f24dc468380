"""Very many subjects at once are one finding about their site."""

import pytest

from classifiers.storms import STORM_SAMPLES, STORM_SUBJECTS


def offers(scribe, servers: int) -> None:
    for n in range(servers):
        address = f"172.16.{n // 250}.{n % 250 + 1}"
        scribe.sighting(
            n % 600, "dhcp_offer", 0x020000000000 + n, address, "172.16.0.9", client_mac=f"02:{n}"
        )


@pytest.mark.parametrize(
    ("servers", "findings"), [(STORM_SUBJECTS - 1, STORM_SUBJECTS - 1), (STORM_SUBJECTS, 1)]
)
def test_very_many_subjects_are_one_finding(scribe, servers, findings):
    """Two hundred forged servers are one finding about the site, one fewer are found by themselves."""
    offers(scribe, servers)
    rows = scribe.detect("rogue_dhcp")
    assert len(rows) == findings
    if findings == 1:
        (row,) = rows
        assert (row["subject_kind"], row["subject"], row["inputs"]["subjects"]) == ("site", "demo", servers)
        assert f"{servers} hosts" in row["statement"]
        assert len(row["samples"]) == STORM_SAMPLES
        assert row["thresholds"]["storm_subjects"] == STORM_SUBJECTS
        assert row["from"] == "2026-03-02T10:20:00.000000Z"


def test_a_storm_that_grows_takes_its_subjects_in(scribe):
    """What was found of single hosts before it became a storm is withdrawn; the storm goes on as one."""
    offers(scribe, STORM_SUBJECTS - 1)
    assert len(scribe.detect("rogue_dhcp")) == STORM_SUBJECTS - 1
    offers(scribe, STORM_SUBJECTS + 50)
    (row,) = scribe.detect("rogue_dhcp")
    assert row["inputs"]["subjects"] == STORM_SUBJECTS + 50
    gone = scribe.store.rows("SELECT count() AS n FROM findings FINAL WHERE withdrawn != ''")
    assert gone == [{"n": STORM_SUBJECTS - 1}]


def test_a_storm_at_one_site_leaves_the_others_alone(scribe):
    """Hosts of another site are found by themselves meanwhile."""
    offers(scribe, STORM_SUBJECTS)
    scribe.sighting(5, "dhcp_offer", 0x1, "192.168.9.1", "192.168.9.7")
    scribe._rows["sightings"][-1]["site"] = "other"
    rows = scribe.detect("rogue_dhcp")
    assert [(row["site"], row["subject_kind"]) for row in rows] == [("demo", "site"), ("other", "host")]


def test_rows_of_wild_clocks_are_no_storm(scribe):
    """Rows of 1970, 2106 and of a clock that jumps by days are judged in their own time; the round ends."""
    years = 365 * 86_400
    for offset in (-56 * years, -3 * 86_400, 0, 3 * 86_400, 79.9 * years):
        for port in range(60):
            scribe.failed(offset + port, "10.20.0.66", "10.10.0.1", 1_000 + port)
    scribe.write()
    detectors = scribe.detectors("port_scan")
    wide = 0, 1 << 62
    assert detectors.round(*wide).findings == 4
    assert detectors.round(*wide) == (0, 0)
    starts = [row["from"][:10] for row in scribe.findings()]
    assert starts == ["1970-03-16", "2026-02-27", "2026-03-02", "2026-03-05"]
