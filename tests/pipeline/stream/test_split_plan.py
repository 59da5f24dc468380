"""The plan of splitting: kept before it is used, the same after a kill, damage told."""

from pathlib import Path

import pytest

from pipeline.stream.split_plan import Entry, SplitPlan


def test_each_place_of_the_log_has_its_entry(tmp_path: Path) -> None:
    """An entry holds from its place on, until the next one's; the first one for what was before, too."""
    plan = SplitPlan(tmp_path / "plan.json")
    assert plan.latest("flows") is None
    plan.note("flows", 0, "north", 3)
    plan.note("flows", 100, "north", 6)
    plan.note("flows", 200, "south", 6)
    plan.note("dns", 7, "north", 2)
    again = SplitPlan(tmp_path / "plan.json")
    assert [again.entry("flows", n).partitions for n in (1, 99, 100, 199, 200)] == [3, 3, 6, 6, 6]
    assert again.entry("flows", 250) == again.latest("flows") == Entry(200, "south", 6)
    assert again.entry("dns", 1) == Entry(7, "north", 2)
    with pytest.raises(KeyError):
        again.entry("sightings", 1)


def test_a_note_replaces_what_never_held(tmp_path: Path) -> None:
    """Two changes before any message came in between leave the second."""
    plan = SplitPlan(tmp_path / "plan.json")
    plan.note("flows", 0, "north", 3)
    plan.note("flows", 10, "north", 6)
    plan.note("flows", 10, "north", 12)
    assert plan.entry("flows", 10).partitions == 12
    assert plan.entry("flows", 9).partitions == 3


def test_what_is_acknowledged_is_forgotten(tmp_path: Path) -> None:
    """Entries that only held for messages which are never sent again go, the newest never."""
    plan = SplitPlan(tmp_path / "plan.json")
    for start, partitions in ((0, 3), (100, 6), (200, 12)):
        plan.note("flows", start, "north", partitions)
    plan.forget(98)
    assert SplitPlan(plan.path).entry("flows", 99).partitions == 3
    plan.forget(99)
    assert SplitPlan(plan.path).entry("flows", 99).partitions == 6
    plan.forget(5_000)
    assert SplitPlan(plan.path).latest("flows") == Entry(200, "north", 12)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"flows": []}', '{"flows": [[1, "a"]]}', '{"flows": 3}', '{"flows": [["x", "a", 1]]}'],
)
def test_a_damaged_plan_stops_the_relay(text: str, tmp_path: Path) -> None:
    """Guessing could split a message in two ways; the line names the file and the mend."""
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"plan\.json is damaged; let the workers finish"):
        SplitPlan(path)
