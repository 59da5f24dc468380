"""`/v1/devices` as it is asked."""

from tests.api.conftest import Running


def test_prefixes_are_refused(school: Running) -> None:
    """A client is one address here."""
    answer = school.get("/v1/devices", "helpdesk", params={"client": "10.0.0.0/8"})
    assert answer.status_code == 422
    assert "one address" in answer.json()["mend"]


def test_foreign_cursors_are_refused(school: Running) -> None:
    """A cursor of another question, or none at all, is 422."""
    cursor = school.get("/v1/devices", "helpdesk", params={"limit": 1}).json()["next"]
    for params in ({"cursor": cursor, "site": "main"}, {"cursor": "AAAA"}):
        assert school.get("/v1/devices", "helpdesk", params=params).status_code == 422


def test_reads_are_logged(school: Running) -> None:
    """List and detail each leave a row with the MAC."""
    before = school.logged()
    school.get("/v1/devices", "helpdesk")
    school.get("/v1/devices/00-00-5E-00-00-12", "helpdesk")
    assert school.logged() == before + 2
    last = school.store.rows("SELECT subject FROM access_log ORDER BY at DESC LIMIT 1")[0]
    assert last["subject"] == "00:00:5e:00:00:12"
