"""`/v1/policies` and `/v1/exemptions`."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from api.routes.policies import without_hosts
from classifiers.judge import in_force
from classifiers.policy_model import Policy
from classifiers.policy_versions import Versions
from tests.api.conftest import Running
from tests.classifiers.policy_text import BASE

TODAY = datetime.now(UTC).date()
EXEMPTIONS = f"""
[[exemptions]]
id = "E1"
hosts = ["10.20.1.5/32", "10.20.4.0/24"]
categories = ["games"]
names = ["play.example"]
reason = "Game design class"
authorised_by = "Principal"
from = 2026-01-01
until = {TODAY - timedelta(days=10)}

[[exemptions]]
id = "E2"
groups = ["staff"]
categories = ["chat"]
reason = "Support desk"
authorised_by = "Superintendent"
from = 2026-01-01
until = {TODAY + timedelta(days=10)}

[devices]
cart = ["00:16:3e:00:00:01"]
"""
FIRST = Policy.model_validate(tomllib.loads(BASE))
SECOND = Policy.model_validate(tomllib.loads(BASE + EXEMPTIONS))


@pytest.fixture
def noted(scratch: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    """A service that judges by the second of two versions in its store."""
    scratch.store.command("TRUNCATE TABLE policies")
    scratch.store.command("TRUNCATE TABLE attempts")
    versions = Versions(scratch.store)
    versions.record(FIRST, Path("/etc/policy.toml"))
    loads = versions.record(SECOND, Path("/etc/policy.toml"))
    judge = scratch.app.state.service.classifier
    before = judge.state
    judge.adopt(in_force(SECOND, judge.matcher, [one._replace(valid_from=one.loaded) for one in loads]))
    yield scratch
    judge.adopt(before)


def test_the_versions_there_were(noted: Running) -> None:
    """The latest first, each with its time, file, and what it changed; and what is in force."""
    found = noted.get("/v1/policies", "auditor").json()
    assert found["in_force"]["policy"]["version"] == SECOND.version
    assert found["in_force"]["problem"] is None
    assert [row["version"] for row in found["versions"]] == [SECOND.version, FIRST.version]
    assert found["versions"][1]["valid_until"] == found["versions"][0]["valid_from"]
    assert any(line.startswith("+ exemptions[E1]") for line in found["versions"][0]["changes"])


def test_one_version(noted: Running) -> None:
    """A version is told whole, with its loads; devices are numbers."""
    found = noted.get(f"/v1/policies/{SECOND.version}", "administrator").json()
    assert found["policy"]["organisation"] == "Test district"
    assert found["policy"]["devices"] == {"cart": 1}
    assert found["policy"]["exemptions"][0]["hosts"] == ["(one host)", "10.20.4.0/24"]
    assert len(found["loads"]) == 1


def test_no_address_of_a_host_and_no_mac(noted: Running) -> None:
    """Nothing that is answered names a single host or a device."""
    for path in ("", f"/{SECOND.version}", f"/{SECOND.version}/diff"):
        text = noted.get(f"/v1/policies{path}", "auditor").text
        assert "10.20.1.5" not in text
        assert "00:16:3e" not in text
    assert "10.20.1.5" not in noted.get("/v1/exemptions", "auditor").text


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("hosts 10.1.1.1/32 10.2.0.0/16", "hosts (one host) 10.2.0.0/16"),
        ("2001:db8::1/128 2001:db8::/32 ::1/128", "(one host) 2001:db8::/32 (one host)"),
        ("routers 10.1.1.1", "routers 10.1.1.1"),
    ],
)
def test_networks_of_one_address_are_hosts(line: str, told: str) -> None:
    """Networks stay, single hosts go; equipment without a prefix length stays."""
    assert without_hosts(line) == told


def test_the_difference_of_two_versions(noted: Running) -> None:
    """Against the one loaded before, or another; the first differs from nothing."""
    found = noted.get(f"/v1/policies/{SECOND.version}/diff", "auditor").json()
    assert (found["before"], found["after"]) == (FIRST.version, SECOND.version)
    assert "+ devices.cart: 1 devices" in found["changes"]
    back = noted.get(
        f"/v1/policies/{FIRST.version}/diff", "auditor", params={"before": SECOND.version}
    ).json()
    assert "- devices.cart: 1 devices" in back["changes"]
    first = noted.get(f"/v1/policies/{FIRST.version}/diff", "auditor").json()
    assert first["before"] is None
    assert "+ organisation: Test district" in first["changes"]


def attempt(seconds: int, client: str, name: str, action: str, clause: str, day: int) -> dict:
    from pipeline.records import address_bytes

    at = datetime.combine(TODAY + timedelta(days=day), datetime.min.time(), UTC) + timedelta(seconds=seconds)
    return {
        "site": "north", "client": address_bytes(client), "group": "students", "name": name,
        "window_start": at, "first": at, "last": at, "categories": ["games"], "action": action,
        "clause": clause, "verdict": "blocked",
    }  # fmt: skip


def test_exemptions_and_how_they_are_used(noted: Running) -> None:
    """Each with its state and use; what an expired one would have allowed since is counted."""
    rows = [
        attempt(0, "10.20.1.5", "a.play.example", "allow", "exemption:E1", -20),
        attempt(1, "10.20.1.5", "a.play.example", "prohibit", "A1", -2),
        attempt(2, "10.20.4.9", "other.example", "prohibit", "A1", -1),
        attempt(3, "10.20.9.9", "a.play.example", "prohibit", "A1", -1),
        attempt(4, "10.20.1.5", "a.play.example", "prohibit", "A1", -15),
    ]
    schema = pa.RecordBatch.from_pylist(rows).schema
    schema = schema.set(schema.get_field_index("client"), pa.field("client", pa.binary(16)))
    noted.store.insert("attempts", pa.RecordBatch.from_pylist(rows, schema=schema), "made")
    found = {row["id"]: row for row in noted.get("/v1/exemptions", "auditor").json()["exemptions"]}
    one, two = found["E1"], found["E2"]
    assert (one["state"], one["attempts"], one["missed_since_expiry"]) == ("expired", 1, 2)
    assert one["last_missed"] > one["last_attempt"]
    assert (two["state"], two["attempts"], two["missed_since_expiry"]) == ("active", 0, None)
    assert one["authorised_by"] == "Principal"


def test_as_csv(noted: Running) -> None:
    """Versions and exemptions as tables."""
    for path in ("policies", "exemptions"):
        lines = noted.get(f"/v1/{path}", "auditor", accept="text/csv").text.splitlines()
        assert len(lines) == 3


@pytest.mark.parametrize("role", ["helpdesk", "engineer", "investigator", "privacy_officer"])
def test_who_may_not(noted: Running, role: str) -> None:
    """Policies are for auditors and administrators."""
    for path in ("policies", f"policies/{FIRST.version}", f"policies/{FIRST.version}/diff", "exemptions"):
        assert noted.get(f"/v1/{path}", role).status_code == 403


def test_what_is_not_there(noted: Running) -> None:
    """An unknown version is 404, an unknown parameter 422, each with a mend."""
    for path, status in (
        ("policies/ffff", 404),
        ("policies/ffff/diff", 404),
        (f"policies/{FIRST.version}/diff?before=ffff", 404),
        (f"policies/{FIRST.version}/diff?colour=red", 422),
    ):
        answer = noted.get(f"/v1/{path}", "auditor")
        assert (answer.status_code, bool(answer.json()["mend"])) == (status, True), path


def test_health_says_what_is_in_force_and_what_is_not(
    noted: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer file that can't be used is told by /v1/health and on the page, with file, line and mend."""
    judge = noted.app.state.service.classifier
    assert noted.get("/v1/health", "engineer").json()["in_force"]["problem"] is None
    monkeypatch.setattr(judge, "problem", "/etc/policy.toml:7: unknown group 'x'; add a [[groups]]")
    told = noted.get("/v1/health", "engineer").json()["in_force"]
    assert told["problem"].startswith("/etc/policy.toml:7: ")
    assert (told["policy"]["version"], bool(told["lists"])) == (SECOND.version, True)
    page = noted.get("/health", "engineer", accept="text/html").text
    assert "/etc/policy.toml:7: unknown group" in page
