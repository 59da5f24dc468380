"""`/v1/dns` and `/v1/access-log` as they are asked."""

from tests.api.conftest import Running
from tests.api.school import LAPTOP


def test_questions(school: Running) -> None:
    """Unanswered is null, not zero; a delicate question keeps its name to itself."""
    rows = school.get("/v1/dns", "engineer").json()["rows"]
    assert [row["qname"] for row in rows] == [None, "video.example"]
    assert rows[1]["rcode"] is None
    assert rows[0]["addresses"] is None
    asked = {"client": LAPTOP, "case": "1"}
    assert school.get("/v1/dns", "investigator", params=asked).json()["rows"][0]["qname"] == "adult.example"


def test_the_log_of_reads(school: Running) -> None:
    """The privacy officer reads who read what, and that read is no read of a person."""
    school.get("/v1/devices", "helpdesk")
    before = school.logged()
    rows = school.get(
        "/v1/access-log", "privacy_officer", params={"from": "-1h", "path": "/v1/devices"}
    ).json()["rows"]
    assert school.logged() == before
    assert rows[0]["token_name"] == "helpdesk"
    assert rows[0]["rows"] == 4
