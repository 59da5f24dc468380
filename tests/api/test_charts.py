"""Charts: specifications that compile, in the site's clock, with unknown shaded."""

from zoneinfo import ZoneInfo

import vl_convert

from api.bandwidth import Timeline
from api.charts import OUTCOMES, filtering_chart, traffic_chart
from api.times import Range

ZONE = ZoneInfo("America/Los_Angeles")
NINE = 1_772_470_800_000_000
ROW = {"category": "adult", "blocked": 5, "leaked": 1, "permitted": 4, "overblocked": 3, "inconclusive": 0}


def point(minute: int, name: str, bits: float | None) -> dict[str, object]:
    return {
        "time": f"2026-03-02T17:{minute:02d}:00Z", "known": bits is not None, "service": name,
        "bytes_up": 0 if bits is not None else None, "bytes_down": 10 if bits is not None else None,
        "bits_per_second": bits,
    }  # fmt: skip


def values(spec: dict, part: dict) -> list[dict]:
    """Rows a layer draws."""
    return spec["datasets"][part["data"]["name"]]


def drawn() -> dict:
    points = [
        point(0, "a", 2e6),
        point(0, "", 1e6),
        point(1, "a", None),
        point(1, "", None),
        point(2, "a", 0.0),
    ]
    points += [point(2, "", 4e6)]
    found = Timeline(Range(NINE, NINE + 180_000_000), 60, "traffic_1m", ["a", ""], points)
    return traffic_chart(found, "service", ZONE, "not named")


def test_series_are_stacked_in_the_unit_that_fits() -> None:
    """Mb/s, each bar on the one before it, none where nothing moved, at the site's nine o'clock."""
    spec = drawn()
    bars = values(spec, spec["layer"][1])
    assert [(bar["series"], bar["low"], bar["high"]) for bar in bars] == [
        ("a", 0, 2.0), ("not named", 2.0, 3.0), ("not named", 0, 4.0),
    ]  # fmt: skip
    assert bars[0]["t"] == "2026-03-02T09:00:00.000Z"
    assert spec["layer"][1]["encoding"]["y"]["title"] == "Mb/s"


def test_unknown_is_shaded_and_not_drawn() -> None:
    """A step of which nothing is known is one grey area with the reason."""
    spec = drawn()
    shade = spec["layer"][0]
    assert len(values(spec, shade)) == 1
    assert values(spec, shade)[0]["what"].startswith("unknown")
    assert shade["mark"]["color"] == "var(--unknown)"


def test_specifications_compile() -> None:
    """Vega-Lite takes both charts, empty ones too."""
    empty = Timeline(Range(NINE, NINE + 60_000_000), 60, "traffic_1m", [], [])
    for spec in (
        drawn(),
        filtering_chart([ROW]),
        filtering_chart([]),
        traffic_chart(empty, "service", ZONE, "-"),
    ):
        spec["width"] = 400
        assert vl_convert.vegalite_to_vega(spec)["marks"]


def test_outcomes_have_their_colours() -> None:
    """What was permitted is no leak and has its own colour; an outcome that did not occur is not shown."""
    spec = filtering_chart([ROW])
    assert [(value["outcome"], value["attempts"]) for value in values(spec, spec)] == [
        ("blocked", 2), ("leaked", 1), ("permitted", 4), ("overblocked", 3),
    ]  # fmt: skip
    scale = spec["encoding"]["color"]["scale"]
    assert dict(zip(scale["domain"], scale["range"], strict=True)) == {
        name: colour for name, colour in OUTCOMES.items() if name != "inconclusive"
    }
    assert len(set(OUTCOMES.values())) == len(OUTCOMES)
