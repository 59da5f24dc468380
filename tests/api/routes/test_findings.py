"""`/v1/findings/{id}`."""

from tests.api.conftest import Running
from tests.api.school import LAPTOP, TABLET

SCAN, FILTERING = f"{1:032x}", f"{2:032x}"


def test_one_finding_is_the_row_of_the_list(school: Running) -> None:
    """The same facts under its own address, and a row in the log."""
    before = school.logged()
    one = school.get(f"/v1/findings/{SCAN}", "engineer").json()
    assert school.logged() == before + 1
    listed = school.get("/v1/findings", "engineer", params={"id": SCAN}).json()["rows"]
    assert listed == [one]
    assert one["subject"] == LAPTOP


def test_a_finding_beyond_the_role_is_not_there(school: Running) -> None:
    """An engineer can't tell a finding about categories from one that does not exist."""
    hidden = school.get(f"/v1/findings/{FILTERING}", "engineer")
    absent = school.get(f"/v1/findings/{9:032x}", "engineer")
    assert hidden.status_code == absent.status_code == 404


def test_statements_are_scrubbed_for_auditors(school: Running) -> None:
    """The sentence speaks of the pseudonym of the subject, and samples are left out."""
    got = school.get(f"/v1/findings/{FILTERING}", "auditor").json()
    assert got["subject"] in got["statement"]
    assert TABLET not in str(got)
    assert got["samples"] is None


def test_investigators_name_the_case(school: Running) -> None:
    """Without a case 403, with it the whole row."""
    assert school.get(f"/v1/findings/{FILTERING}", "investigator").status_code == 403
    got = school.get(f"/v1/findings/{FILTERING}", "investigator", params={"case": "3"}).json()
    assert got["subject"] == TABLET
