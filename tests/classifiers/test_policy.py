"""Policy files: what is accepted, and what is said about the rest."""

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.policy import STANDARD_INPUT, STARTER, PolicyError, load_policy, problems, read_policy
from classifiers.policy_model import Policy

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
    ("unknown section", BASE, BASE + "[filters]\n", 25, "filters", "did you mean 'filter'"),
    ("host bits", "10.30.0.0/16", "10.30.0.1/16", 18, "host bits", "set another value"),
    ("no network", "10.30.0.0/16", "ten", 18, "no network", "set another value"),
    ("zone", "America/Los_Angeles", "Sacramento", 9, "time zone", "America/Los_Angeles"),
    ("near zone", "America/Los_Angeles", "America/Los_Angelos", 9, "time zone", "mean 'America/Los_Angeles'"),
    ("vlan", "vlans = [20]", "vlans = [4095]", 14, "no VLAN id", "set another value"),
    ("action", '"prohibit"', '"forbid"', 23, "'allow', 'limit' or 'prohibit'", "use one of these"),
    ("category", '["games"]', '["gamez"]', 21, "unknown category 'gamez'", "did you mean 'games'"),
    ("other category", '["games"]', '["quux"]', 21, "unknown category 'quux'", "use one of adult"),
    ("group", '["students"]', '["pupils"]', 22, "unknown group 'pupils'", "[[groups]]"),
    ("clause", '"A1"', '"A2"', 24, "clause 'A2'", "[clauses]"),
    ("same subnet", "10.30.0.0/16", "10.20.0.0/16", 18, "'students' and to group 'staff'", "longer prefix"),
    ("same id", 'id = "staff"', 'id = "students"', 17, "used twice", "own id"),
    ("empty organisation", '"Test district"', '""', 1, "organisation", "set another value"),
    ("unknown site", 'id = "staff"', 'id = "staff"\nsites = ["elsewhere"]', 18, "unknown site", "[[sites]]"),
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


def test_every_problem_is_told_at_once(written):
    """Values that are wrong by themselves hide none of what is wrong between others, at its own line."""
    text = (
        BASE.replace("10.20.0.0/16", "x")
        .replace('"prohibit"', '"forbid"')
        .replace('id = "staff"', 'id = "Staff"')
        + '\n[[rules]]\ncategories = ["gamez"]\ngroups = ["pupils"]\naction = "limit"\nclause = "A2"\n'
        + "colour = 1\n\n[thresholds.port_scam]\nports = 5\n"
    )
    told = [(problem.line, problem.what) for problem in problems(written(text))]
    for line, what in [
        (13, "is no network"),
        (17, "id"),
        (23, "'allow', 'limit' or 'prohibit'"),
        (27, "unknown category 'gamez'"),
        (28, "unknown group 'pupils'"),
        (30, "clause 'A2'"),
        (31, "unknown key"),
        (33, "unknown detector"),
    ]:
        assert any(at == line and what in said for at, said in told), (line, what)
    assert len(told) == 8


RULE = b'[[rules]]\ncategories = ["games"]\naction = "allow"\n'


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"\xef\xbb\xbf" + BASE.encode(), 1, "byte order mark"),
        (BASE.encode("utf-16"), 1, "UTF-16"),
        (b"a = 1\n" * 10_000_000, 1, "more than 4 MiB"),
        (b"\0" * 60_000_000, 1, "more than 4 MiB"),
        (b"a = " + b"[" * 1_000_000, 1, "nested too deeply"),
        (b"a = " + b"{a=" * 100_000, 1, "nested too deeply"),
        (b"a = 1\n" + b"a." * 1_000_000 + b"b = 1", 2, "hundreds of parts"),
        (b"a = " + b"9" * 1_000_000, 1, "not TOML"),
        (b"a = 2026-02-31", 1, "not TOML"),
        (BASE.encode() + RULE * 70_000, 20, "at most 5000"),
        (BASE.encode().replace(b'"staff"', b'"st\\u0007aff"'), 17, "control characters"),
        (BASE.encode().replace(b'"Test district"', b'"\\u202etcirtsid"'), 1, "control characters"),
        (BASE.encode() + b'"\\u0000" = 1\n', 20, "control characters"),
        (BASE.encode().replace(b"[20]", b'["x"]'), 14, "vlans"),
        (BASE.encode().replace(b"[20]", b"[99999999999999999999999]"), 14, "vlans"),
        (b'valid_from = "someday"\n' + BASE.encode(), 1, "valid_from"),
    ],
)
def test_hostile_files_are_refused_in_one_line(tmp_path, content, line, what):
    """Enormous, deep, foreign and forged files get one clear line each, in little time."""
    path = tmp_path / "policy.toml"
    path.write_bytes(content)
    found = problems(path)
    assert any(what in problem.what and problem.line == line for problem in found)
    assert len(found) <= 501
    for problem in found:
        assert str(problem).isprintable()
        assert len(str(problem)) < 1_000


def test_a_file_of_nothing_but_faults_is_bounded(written):
    """Of thousands of faults the first 500 are told, and how many more there are."""
    rule = '[[rules]]\ncategories = ["gamez"]\naction = "forbid"\n'
    found = problems(written(BASE + rule * 4_000))
    assert len(found) == 501
    assert "3,500 more problems" in found[-1].what


def test_warnings_without_end_are_bounded_too(written):
    """Of thousands of doubts the first 500 are told; none of them keeps the policy from being used."""
    rule = '[[rules]]\ncategories = ["chat"]\naction = "limit"\n'
    path = written(BASE + rule * 2_000)
    reading = read_policy(path)
    assert reading.policy is not None
    assert len(reading.problems) == 501
    assert problems(path) == []


def test_standard_input_is_a_file(monkeypatch):
    """`-` is read from standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(BASE.encode())))
    assert load_policy(STANDARD_INPUT).organisation == "Test district"


def test_devices_come_from_the_policy_and_its_inventories(tmp_path, written):
    """Inventories beside the policy add to its own devices; the version changes with them."""
    (tmp_path / "carts.csv").write_text("mac,tags\n00163E000002,cart\n00163E000001,cart\n")
    text = BASE.replace(
        "[clauses]", 'inventory = ["carts.csv"]\n\n[devices]\ncart = ["00:16:3e:00:00:03"]\n\n[clauses]'
    )
    first = load_policy(written(text))
    assert first.devices == {"cart": ("00:16:3e:00:00:01", "00:16:3e:00:00:02", "00:16:3e:00:00:03")}
    (tmp_path / "carts.csv").write_text("mac,tags\n00163E000002,cart\n")
    assert load_policy(written(text)).version != first.version
    (tmp_path / "carts.csv").write_text("mac,tags\nx,cart\n")
    (problem,) = problems(written(text))
    assert (problem.file, problem.line) == (tmp_path / "carts.csv", 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-08-12", "2026-08-12T07:00:00+00:00"),
        ("2026-08-12T06:30:00", "2026-08-12T13:30:00+00:00"),
        ("2026-08-12T06:30:00+02:00", "2026-08-12T04:30:00+00:00"),
    ],
)
def test_when_it_comes_into_force(written, text, expected):
    """`valid_from` is a day or a time, by the clock of the first site where it has no offset."""
    policy = load_policy(written(f"valid_from = {text}\n" + BASE))
    assert policy.starts is not None
    assert datetime.fromtimestamp(policy.starts / 1e6, UTC).isoformat() == expected
    again = Policy.model_validate(policy.content())
    assert (again.version, again.starts) == (policy.version, policy.starts)


def test_warnings_keep_no_policy_from_being_used(written):
    """A doubt is told with its line, and the policy is used all the same."""
    reading = read_policy(written(BASE))
    assert reading.policy is not None
    assert [(p.line, p.warning) for p in reading.problems] == [(6, True)]
    assert "warning: at site 'north'" in str(reading.problems[0])


def test_services_are_checked_where_they_are_known(written):
    """With the services of the lists at hand, an unknown one keeps the policy from being used."""
    text = BASE + '\n[[rules]]\nservices = ["Youtub"]\naction = "allow"\n'
    assert read_policy(written(text)).policy is not None
    reading = read_policy(written(text), services=["YouTube"])
    assert reading.policy is None
    assert any("did you mean 'YouTube'" in str(problem) for problem in reading.problems)


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
