"""The filter language: typed, bound, never spliced."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.filters import condition, mac_number, network_bounds, within_hours
from api.tables import TABLES
from api.times import Range, moment

FLOWS = TABLES["flows"].columns
AWKWARD = "a'b\\`) OR 1=1 --{f0:String}"


@given(st.text(max_size=60))
def test_values_never_become_sql(value: str) -> None:
    """Whatever the value, the SQL is made of our own words; the value is a parameter."""
    made = condition({"server_name": [f"x{value}"]}, FLOWS)
    assert made.sql == "(lower(`server_name`) = {f0:String})"
    assert made.parameters == {"f0": f"x{value}".lower().rstrip(".")}


@pytest.mark.parametrize(
    ("name", "value", "sql"),
    [
        ("group", "staff", "(`group` = {f0:String})"),
        ("group", "!staff", "NOT ifNull(`group` = {f0:String}, 0)"),
        ("client", "10.0.0.0/8", "(`client` BETWEEN toIPv6({f0:String}) AND toIPv6({f1:String}))"),
        ("client_mac", "aa:bb:cc:dd:ee:ff", "(`client_mac` = {f0:UInt64})"),
        ("server_port", ">=1024", "(`server_port` >= {f0:Int128})"),
        ("server_port", "20..25", "(`server_port` BETWEEN {f0:Int128} AND {f1:Int128})"),
        ("rtt_us", "unknown", "(isNull(`rtt_us`))"),
        ("categories", "adult", "(has(`categories`, {f0:String}))"),
        (
            "server_name",
            "*.example.org",
            "((`server_name` = {f0:String} OR endsWith(`server_name`, {f1:String})))",
        ),
    ],
)  # fmt: skip
def test_forms(name: str, value: str, sql: str) -> None:
    """Each kind of column has its form of values."""
    assert condition({name: [value]}, FLOWS).sql == sql


def test_values_are_alternatives_and_parameters_are_not() -> None:
    """Two values of one parameter are or, two parameters are and, a negated value excludes."""
    made = condition({"group": ["a", "b", "!c"], "application": ["tls"]}, FLOWS)
    assert made.sql == (
        "NOT ifNull(`group` = {f2:String}, 0) AND (`group` = {f0:String} OR `group` = {f1:String})"
        " AND (`application` = {f3:String})"
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("client", AWKWARD, "no address"), ("client", "10.0.0.0/33", "no address"),
        ("client_mac", "x", "no MAC"), ("server_port", "http", "no number"),
        ("application", "youtube", "choose from"),
        ("server_name", "*.", "names no domain"),
    ],
)  # fmt: skip
def test_refusals_name_parameter_and_mend(name: str, value: str, said: str) -> None:
    """What does not fit the column is refused before the store sees it."""
    with pytest.raises(ValueError, match=f"^{name}: .*{said}"):
        condition({name: [value]}, FLOWS)


def test_no_filter_is_everything() -> None:
    """Without parameters the condition holds for all."""
    assert condition({}, FLOWS) == ("1", {})


def test_bounds_of_networks() -> None:
    """IPv4 is mapped; an address is its own first and last."""
    assert network_bounds("10.0.0.0/31") == ("::ffff:10.0.0.0", "::ffff:10.0.0.1")
    assert network_bounds("2001:db8::5") == ("2001:db8::5", "2001:db8::5")


def test_macs_in_both_forms() -> None:
    """Colons and dashes, but not mixed."""
    assert mac_number("02:00:5e:00:00:11") == mac_number("02-00-5E-00-00-11") == 0x02005E000011
    with pytest.raises(ValueError, match="MAC"):
        mac_number("02:00-5e:00:00:11")


@pytest.mark.parametrize(
    ("last", "bounded"), [("2106-02-07T06:28:15Z", True), ("2106-02-07T06:28:16Z", False)]
)
def test_hours_bound_a_range_only_as_far_as_hours_are_told(last: str, bounded: bool) -> None:
    """The hour of a time that no DateTime holds is no bound: servers differ in what it is."""
    sql = within_hours("start", Range(0, moment(last, 0)))
    assert (sql.count("toStartOfHour(start)") == 2) if bounded else (sql == "1")
