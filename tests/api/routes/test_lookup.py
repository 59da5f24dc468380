"""`/v1/lookup`."""

import pytest

from api.routes.lookup import explained
from tests.api.conftest import Running


def test_a_name_is_explained(school: Running) -> None:
    """Name, categories and one decision for each group."""
    got = school.get(
        "/v1/lookup", "helpdesk", params={"name": "www.example.org", "at": "2026-03-02T17:00:00Z"}
    ).json()
    assert got["name"] == "www.example.org"
    assert got["categories"] == []
    assert got["decisions"]


@pytest.mark.parametrize(
    "params", [{"name": ""}, {}, {"name": "a.example", "group": "nobody"}, {"name": "a.example", "at": "x"}]
)
def test_refusals(school: Running, params: dict) -> None:
    """No name, an unknown group and a broken time are 422 with a mend."""
    answer = school.get("/v1/lookup", "helpdesk", params=params)
    assert answer.status_code == 422
    assert answer.json()["mend"]


def test_names_of_abuse_are_not_confirmed_by_category(
    school: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only that they are prohibited is said, whatever the classifier found."""
    desk = school.app.state.service
    found = {"name": "(withheld)", "categories": ["abuse"], "lists": [{"name": "x"}]}
    monkeypatch.setattr(desk.classifier, "explain", lambda *_, **__: found)
    assert explained(desk, "x.example", None, None) == {
        "name": "(withheld)",
        "action": "prohibit",
        "withheld": True,
    }


def test_a_client_is_told_why(school: Running) -> None:
    """With an address the answer says its group and why, the hour, and which rule decided."""
    params = {"name": "www.youtube.com", "host": "10.20.1.2", "vlan": 20, "at": "2026-11-18T18:00:00Z"}
    got = school.get("/v1/lookup", "helpdesk", params=params).json()
    judged = got["judged"]
    assert (judged["action"], judged["clause"]) == ("limit", "S9a")
    assert judged["group"]["why"] == "prefix 10.20.0.0/16"
    assert judged["time"]["duty"]
    assert [rule["why"] for rule in judged["rules"] if rule["decided"]] == ["it decided"]
    answer = school.get("/v1/lookup", "helpdesk", params={"name": "a.example", "host": "pc-17"})
    assert (answer.status_code, bool(answer.json()["mend"])) == (422, True)
