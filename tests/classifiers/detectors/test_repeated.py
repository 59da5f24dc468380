"""What holds for all detectors together."""

from tests.classifiers.detectors.test_bandwidth import stream
from tests.classifiers.detectors.test_equipment import offers, shared
from tests.classifiers.detectors.test_filtering import asked
from tests.classifiers.detectors.test_scanning import sweep


def test_second_run_of_everything_changes_nothing(scribe):
    """A round repeated over the same or an overlapping range writes no row."""
    sweep(scribe, 60)
    offers(scribe, "192.168.1.1")
    shared(scribe, [63, 127, 63, 127])
    asked(scribe, 12, 4)
    stream(scribe, 5, 1)
    before = scribe.detect()
    assert {row["detector"] for row in before} >= {
        "address_scan", "rogue_dhcp", "address_sharing", "prohibited_attempts", "streaming_share"
    }  # fmt: skip
    second = scribe.detectors()
    start = 1_772_446_800_000_000
    assert second.round(start, start + 900_000_000) == (0, 0)
    assert second.round(start - 900_000_000, start + 60_000_000) == (0, 0)
    assert scribe.findings() == before
