"""Problem bodies."""

import json

from api.problems import Problem, problem_response


def test_members_of_the_standard() -> None:
    """Type, title, status, detail, instance, the mend, and what else is given."""
    body = Problem(422, "limit: too much", "give less", most=10).body("/v1/flows")
    assert body == {
        "type": "about:blank", "title": "The request cannot be answered as asked", "status": 422,
        "detail": "limit: too much", "mend": "give less", "instance": "/v1/flows", "most": 10,
    }  # fmt: skip


def test_answers_are_not_kept() -> None:
    """The response has the standard's media type and is not cached; 401 names the scheme."""
    response = problem_response(Problem(401, "a", "b"), "/")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert json.loads(bytes(response.body))["status"] == 401
