"""Stored values as JSON, and what a grant takes out of a row."""

from api.cells import Redaction, address_plain, grant_for, plain, visible
from api.pseudonyms import Pseudonyms
from api.roles import Grant
from api.tables import TABLES

COLUMNS = TABLES["attempts"].columns
CLEAR = Grant(hosts="clear", categories=True)
PSEUDONYM = Grant(hosts="pseudonym", categories=True)
PLAIN = Grant(hosts="clear", categories=False)


def row(**values: object) -> dict[str, object]:
    return dict.fromkeys(COLUMNS) | {"site": "main", "client": "10.0.0.1", "name": "a.example"} | values


def test_addresses_are_short() -> None:
    """Mapped IPv4 is a dotted quad, IPv6 is compressed."""
    assert address_plain("::ffff:10.0.0.1") == "10.0.0.1"
    assert address_plain("2001:db8:0:0::5") == "2001:db8::5"


def test_unknown_stays_null() -> None:
    """None is None whatever the kind, and a MAC of zero was never seen."""
    assert plain("time", None) is plain("address", None) is plain("mac", 0) is None


def test_columns_follow_the_grants() -> None:
    """Category columns only where a grant shows them, host columns only where one shows hosts."""
    assert "verdict" not in visible(COLUMNS, [PLAIN])
    assert "client" not in visible(COLUMNS, [Grant(hosts="none", categories=True)])
    assert visible(COLUMNS, [PLAIN, PSEUDONYM]) == COLUMNS


def test_a_filtering_finding_needs_a_grant_with_categories() -> None:
    """The best grant is not always the first."""
    assert grant_for({"class": "scanning"}, [PLAIN, PSEUDONYM]) is PLAIN
    assert grant_for({"class": "filtering"}, [PLAIN, PSEUDONYM]) is PSEUDONYM


def test_withheld_names() -> None:
    """Rows of abuse lose name, service and samples for everybody, and say so."""
    shown = Redaction(COLUMNS, Pseudonyms(b"k")).row(
        row(categories=["abuse"], samples=["10.0.0.1 a.example"]), ["abuse"], 0, CLEAR
    )
    assert shown["name"] is shown["service"] is shown["samples"] is None
    assert shown["withheld"] is True
    assert shown["client"] == "10.0.0.1"


def test_sensitive_categories_are_never_beside_a_person() -> None:
    """The label of a crisis line is left out of the row too."""
    shown = Redaction(COLUMNS, Pseudonyms(b"k")).row(
        row(categories=["crisis_support", "chat"]), ["crisis_support", "chat"], 0, CLEAR
    )
    assert shown["categories"] == ["chat"]
    assert shown["name"] is None
