"""AdGuard's services."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.adguard_services import read_services
from blocklists.entries import Entry, Problem

DOCUMENT = """{
  "blocked_services": [
    {
      "id": "one",
      "name": "One",
      "rules": [
        "||one.example.org^",
        "@@||fine.one.example.org^", "|alone.example.org^",
        "||cdn*.example.org^"
      ]
    },
    {"id": "two", "rules": ["||two.example.org^", 7]},
    {"name": "nobody"}
  ]
}
"""


def read(text):
    return list(read_services(io.BytesIO(text if isinstance(text, bytes) else text.encode())))


def test_rules_with_their_lines():
    """Each rule carries its service's id and name, and the line of the file it stands on."""
    found = read(DOCUMENT)
    assert [(e.line, e.name, e.categories, e.service) for e in found if isinstance(e, Entry)] == [
        (7, "one.example.org", ("one",), "One"), (8, "fine.one.example.org", ("one",), "One"),
        (8, "alone.example.org", ("one",), "One"), (12, "two.example.org", ("two",), ""),
    ]  # fmt: skip
    assert [(p.line, p.kind) for p in found if isinstance(p, Problem)] == [
        (9, "skipped"), (12, "refused"), (12, "refused"),
    ]  # fmt: skip
    assert [e.name for e in found if isinstance(e, Entry) and e.exception] == ["fine.one.example.org"]
    assert [e.name for e in found if isinstance(e, Entry) and e.exact] == ["alone.example.org"]


def test_a_list_of_services_alone():
    """The services without the object around them are read the same."""
    services = json.dumps(json.loads(DOCUMENT)["blocked_services"], indent=1)

    assert len([e for e in read(services) if isinstance(e, Entry)]) == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "line 1"),
        (b"[]]", "behind the end"),
        (b"{}", "no list of services"),
        (b"\xff\xfe[]", "UTF-8"),
        (b"[" * 100_000, "brackets"),
        (b"", "JSON"),
    ],
)
def test_what_is_no_list_of_services_is_refused(content, said):
    """Broken JSON, other JSON and endless brackets are one problem with the reason."""
    (problem,) = read(content)
    assert problem.kind == "refused"
    assert said in problem.what


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["id", "name", "rules", "blocked_services"]), inner)
        ),
        max_leaves=20,
    )
)
def test_any_json_gives_entries_and_problems(document):
    """Whatever JSON holds, reading it ends with entries and problems."""
    for item in read(json.dumps(document, indent=1)):
        assert item.line >= 1
