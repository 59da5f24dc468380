"""Policy files: what is accepted, and what is said about the rest."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.policy import STARTER, PolicyError, load_policy, problems

BASE = """organisation = "Test district"

[clauses]
A1 = "No games"

[[sites]]
id = "north"
subnets = ["10.0.0.0/8"]
time_zone = "America/Los_Angeles"

[[groups]]
id = "students"
subnets = ["10.20.0.0/16"]
vlans = [20]

[[groups]]
id = "staff"
subnets = ["10.30.0.0/16"]

[[rules]]
categories = ["games"]
groups = ["students"]
action = "prohibit"
clause = "A1"
"""


@pytest.fixture
def written(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "policy.toml"
        path.write_text(text)
        return path

    return write


def test_the_starter_is_good():
    """The policy that ships has no problem and knows the four groups of the demo network."""
    assert problems(STARTER) == []
    assert [group.id for group in load_policy().groups] == ["students", "staff", "guests", "infrastructure"]


def test_version_is_of_the_content(written):
    """Comments and layout leave the version alone; a changed rule changes it."""
    first = load_policy(written(BASE)).version
    assert load_policy(written("# a comment\n" + BASE.replace("\n\n", "\n\n\n"))).version == first
    assert load_policy(written(BASE.replace("prohibit", "limit"))).version != first


#: What is changed in the good file: text, its replacement, line and words of the error.
FAULTS = [
    ("unknown key", 'id = "staff"', 'id = "staff"\ncolour = 1', 18, "colour", "remove or rename"),
    ("unknown section", BASE, BASE + "[filters]\n", 25, "filters", "remove or rename"),
    ("host bits", "10.30.0.0/16", "10.30.0.1/16", 18, "host bits", "set another value"),
    ("no network", "10.30.0.0/16", "ten", 18, "no network", "set another value"),
    ("zone", "America/Los_Angeles", "Sacramento", 9, "time zone", "set another value"),
    ("vlan", "vlans = [20]", "vlans = [4095]", 14, "no VLAN id", "set another value"),
    ("action", '"prohibit"', '"forbid"', 23, "'allow', 'limit' or 'prohibit'", "use one of these"),
    ("category", '["games"]', '["gaming"]', 21, "unknown category 'gaming'", "use one of adult"),
    ("group", '["students"]', '["pupils"]', 22, "unknown group 'pupils'", "[[groups]]"),
    ("clause", '"A1"', '"A2"', 24, "clause 'A2'", "[clauses]"),
    ("same subnet", "10.30.0.0/16", "10.20.0.0/16", 18, "'students' and to group 'staff'", "longer prefix"),
    ("same id", 'id = "staff"', 'id = "students"', 17, "used twice", "own id"),
    ("empty organisation", '"Test district"', '""', 1, "organisation", "set another value"),
    ("unknown site", 'id = "staff"', 'id = "staff"\nsites = ["south"]', 18, "unknown site", "[[sites]]"),
]


@pytest.mark.parametrize(
    ("old", "new", "line", "what", "mend"),
    [fault[1:] for fault in FAULTS],
    ids=[fault[0] for fault in FAULTS],
)
def test_a_fault_names_file_line_and_mend(written, old, new, line, what, mend):
    """Each kind of fault is one line that names the file, the line, what is wrong and how to mend it."""
    path = written(BASE.replace(old, new, 1))
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(f"{path}:{caught.value.line}: ")
    assert what in said
    assert mend in said
    assert caught.value.line == line


def test_contradicting_rules_are_refused(written):
    """The same category, group and time with another action is refused and names the other rule."""
    more = '\n[[rules]]\ncategories = ["games", "chat"]\ngroups = ["students"]\naction = "allow"\n'
    (problem,) = problems(written(BASE + more))
    assert "rule 1" in problem.what
    assert problem.line == 29


def test_a_rule_for_another_time_is_no_contradiction(written):
    """The same category and group may have another action in duty hours."""
    more = '\n[[rules]]\ncategories = ["games"]\ngroups = ["students"]\nwhen = "duty"\naction = "allow"\n'
    assert problems(written(BASE + more)) == []


EXEMPTION = """
[[exemptions]]
id = "E1"
groups = ["students"]
categories = ["games"]
reason = "Game design class"
authorised_by = "Principal"
from = 2026-09-01
until = 2026-12-18
"""


def test_an_exemption_needs_an_end(written):
    """An exemption without `until` is refused in words of its own."""
    assert problems(written(BASE + EXEMPTION)) == []
    (problem,) = problems(written(BASE + EXEMPTION.replace("until = 2026-12-18\n", "")))
    assert problem.what == "exemption without an end"
    assert problem.line == 26


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("until = 2026-12-18", "until = 2026-08-01", "before it begins"),
        ('groups = ["students"]\ncategories', "categories", "names nobody"),
        ('categories = ["games"]\nreason', "reason", "exempts from nothing"),
        ('reason = "Game design class"', 'reason = ""', "reason"),
    ],
)
def test_an_idle_exemption_is_refused(written, old, new, what):
    """An exemption that is over before it starts, is for nobody, from nothing or for no reason is refused."""
    (problem,) = problems(written(BASE + EXEMPTION.replace(old, new)))
    assert what in problem.what


def test_overlapping_sites_need_their_sensors(written):
    """Two sites with the same subnet are refused unless each names its own sensors."""
    second = '\n[[sites]]\nid = "south"\nsubnets = ["10.0.0.0/8"]\n'
    (problem,) = problems(written(BASE + second))
    assert "'north' and 'south'" in problem.what
    named = BASE.replace('id = "north"', 'id = "north"\nsensors = ["n1"]') + second + 'sensors = ["s1"]\n'
    assert problems(written(named)) == []


def test_all_faults_come_in_the_order_of_lines(written):
    """Every fault of a file is listed, sorted by line."""
    text = BASE.replace("10.20.0.0/16", "x").replace("[20]", "[0]").replace('"games"]', '"games"]\nwrong = 1')
    assert [problem.line for problem in problems(written(text))] == [13, 14, 22]


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"a = [\n\nb", 3, "not TOML"),
        (b'organisation = "x"\n\n[clauses', 3, "not TOML"),
        (b"\xff\xfe\x00", 1, "not UTF-8"),
        (b"", 1, "organisation"),
        (b'organisation = "x"\nsites = []\n', 2, "no site"),
    ],
)
def test_what_is_no_toml_is_refused(tmp_path, content, line, what):
    """Broken TOML, another encoding and an empty file are refused with the line."""
    path = tmp_path / "policy.toml"
    path.write_bytes(content)
    first = problems(path)[0]
    assert first.line == line
    assert what in first.what


def test_a_missing_file_is_refused(tmp_path):
    """A file that is not there is a PolicyError, not an OSError."""
    with pytest.raises(PolicyError, match="cannot read the policy"):
        load_policy(tmp_path / "none.toml")


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_give_problems_not_exceptions(tmp_path_factory, content):
    """Whatever a file holds, checking it gives problems."""
    path = tmp_path_factory.getbasetemp() / "arbitrary.toml"
    path.write_bytes(content)
    assert problems(path)


@settings(deadline=None)
@given(st.lists(st.sampled_from(BASE.split("\n")), max_size=30))
def test_shuffled_lines_give_problems_not_exceptions(tmp_path_factory, lines):
    """Lines of a good file in any order are checked without an exception."""
    path = tmp_path_factory.getbasetemp() / "shuffled.toml"
    path.write_text("\n".join(lines))
    for problem in problems(path):
        assert 1 <= problem.line <= len(lines) + 1
