"""The application as a whole: nothing is open, problems are problems, the schema is sound."""

import re
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from api.roles import ROLES
from classifiers.policy import load_policy
from pipeline.records import mac_text
from tests.api.conftest import Running
from tests.api.school import LAPTOP, MACS

OPEN = {"/healthz", "/readyz", "/static/{name}"}
FINDING = f"{1:032x}"
#: A way to ask each path that is well formed.
EXAMPLES = {
    "/v1/findings/{id}": f"/v1/findings/{FINDING}",
    "/v1/devices/{mac}": f"/v1/devices/{mac_text(MACS[LAPTOP])}",
    "/v1/lookup": "/v1/lookup?name=www.example.org",
    "/v1/policies/{version}": f"/v1/policies/{load_policy().version}",
    "/v1/policies/{version}/diff": f"/v1/policies/{load_policy().version}/diff",
    "/findings/{id}": f"/findings/{FINDING}",
    "/devices/{mac}": f"/devices/{mac_text(MACS[LAPTOP])}",
    "/hosts/{address}": f"/hosts/{LAPTOP}",
    "/static/{name}": "/static/spanwatch.css",
}
#: Endpoint of roles.toml that answers each path of the interface.
ENDPOINTS = {
    "/v1/flows": "flows", "/v1/dns": "dns", "/v1/access-log": "access_log", "/v1/bandwidth/top": "bandwidth",
    "/v1/bandwidth/timeline": "bandwidth", "/v1/bandwidth/now": "bandwidth",
    "/v1/bandwidth/percentile": "bandwidth", "/v1/filtering/summary": "filtering",
    "/v1/filtering/attempts": "attempts", "/v1/findings": "findings", "/v1/findings/{id}": "findings",
    "/v1/devices": "devices", "/v1/devices/{mac}": "devices", "/v1/health": "health",
    "/v1/lists": "lists", "/v1/lookup": "lookup", "/metrics": "metrics",
    "/v1/policies": "policies", "/v1/policies/{version}": "policies",
    "/v1/policies/{version}/diff": "policies", "/v1/exemptions": "exemptions",
}  # fmt: skip


def paths(school: Running) -> list[tuple[str, str]]:
    """Method and path of everything the application answers, as it is itself asked."""
    found: list[tuple[str, str]] = []

    def collect(routes: Any) -> None:
        for route in routes:
            if hasattr(route, "path") and getattr(route, "methods", None):
                found.extend((method, route.path) for method in route.methods if method != "HEAD")
            else:
                inner = getattr(route, "original_router", None) or getattr(route, "app", None)
                collect(getattr(inner, "routes", []))

    collect(school.app.routes)
    return sorted(set(found))


def test_the_list_of_paths_is_whole(school: Running) -> None:
    """The list below is made of all routes: every path of the schema is in it."""
    known = {path for _, path in paths(school)}
    assert set(school.app.openapi()["paths"]) <= known
    assert {"/", "/docs", "/openapi.json", "/sign-in", "/sign-out", "/static/vega.js"} <= known


def test_nothing_is_open_without_a_token(school: Running) -> None:
    """Every path but the probes, the style and the way to sign in and out answers 401."""
    for method, path in paths(school):
        if path in OPEN or method == "POST":
            continue
        answer = httpx.get(school.base + EXAMPLES.get(path, path))
        assert answer.status_code == 401, path
        assert "rows" not in answer.text
        assert "example" not in answer.text.replace("www.example.org", "")


def test_a_wrong_token_is_no_token(school: Running) -> None:
    """An unknown token, another scheme and an empty header are all refused."""
    for header in ("Bearer sw_wrong", "Basic abc", "", "Bearer"):
        answer = httpx.get(f"{school.base}/v1/flows", headers={"authorization": header})
        assert answer.status_code == 401, header
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("role", ROLES)
def test_the_matrix_of_roles(school: Running, role: str) -> None:
    """Each role gets exactly the endpoints roles.toml grants it; a refusal names the roles that would do."""
    for path, endpoint in ENDPOINTS.items():
        answer = school.get(EXAMPLES.get(path, path), role)
        grant = ROLES[role].grants.get(endpoint)
        if grant is None:
            assert answer.status_code == 403, path
            able = [name for name, other in ROLES.items() if endpoint in other.grants]
            assert all(name in answer.json()["mend"] for name in able)
        elif grant.needs:
            assert answer.status_code == 403, path
            assert "case=" in answer.json()["mend"]
        elif endpoint == "findings" and not grant.categories and grant.hosts == "none":
            raise AssertionError("a grant on findings that shows nobody is of no use")
        else:
            assert answer.status_code == 200, (path, answer.text)


def test_every_endpoint_is_in_the_matrix(school: Running) -> None:
    """No path of the schema is left out of the test above, save the probes."""
    assert set(school.app.openapi()["paths"]) - {"/healthz", "/readyz"} == set(ENDPOINTS)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/nothing", 404), ("/v1/flows?limit=x", 422), ("/v1/flows?nope=1", 422), ("/v1/findings/zz", 404)],
)
def test_problems_are_rfc_9457(school: Running, everyone: tuple[str, ...], path: str, status: int) -> None:
    """Type, title, status, detail and instance, and the mend, in the media type for it."""
    answer = school.get(path, *everyone)
    body = answer.json()
    assert answer.status_code == body["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "detail", "instance", "mend"} <= set(body)
    assert body["mend"]


def test_other_methods_are_refused(school: Running) -> None:
    """Nothing can be changed through the interface."""
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = httpx.request(method, f"{school.base}/v1/flows")
        assert answer.status_code == 405, method
        assert answer.json()["mend"] == "use GET"


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in references(value)]
    if isinstance(node, list):
        return [found for value in node for found in references(value)]
    return []


def test_the_schema_is_sound(school: Running) -> None:
    """References resolve, component schemas are JSON Schema, operations are named once and answered."""
    schema = school.get("/openapi.json", "auditor").json()
    assert schema["openapi"].startswith("3.1")
    for reference in references(schema):
        node = schema
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    for component in schema["components"]["schemas"].values():
        Draft202012Validator.check_schema(component)
    operations = [op for methods in schema["paths"].values() for op in methods.values()]
    ids = [op["operationId"] for op in operations]
    assert len(ids) == len(set(ids))
    for path, methods in schema["paths"].items():
        for op in methods.values():
            assert op["description"], path
            assert "200" in op["responses"]
            for parameter in op.get("parameters", []):
                Draft202012Validator.check_schema(parameter["schema"])
            assert path in ("/healthz", "/readyz") or op["security"]


def test_answers_follow_the_schema(school: Running) -> None:
    """The pages of listings are valid against the model the schema gives for them."""
    schema = school.get("/openapi.json", "engineer").json()
    for path, role in {"/v1/flows": "engineer", "/v1/dns": "engineer", "/v1/filtering/attempts": "auditor",
                       "/v1/findings": "engineer", "/v1/access-log": "auditor"}.items():  # fmt: skip
        model = schema["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**model, "components": schema["components"]}
        Draft202012Validator(whole).validate(
            school.get(path, role, params={"from": "2026-03-02T00:00:00Z"}).json()
        )


def test_nothing_comes_from_elsewhere(school: Running) -> None:
    """No page names another host."""
    for path in ("/", "/docs", "/findings"):
        text = school.get(path, *ROLES).text
        assert set(re.findall(r"(?:src|href)=\"(https?:)?//", text)) == set()
