"""`/healthz`, `/readyz`, `/metrics`."""

from tests.api.conftest import Running


def test_probes_are_open_and_say_nothing_more(school: Running) -> None:
    """ok, and not a word about the network."""
    assert school.get("/healthz").text == school.get("/readyz").text == "ok\n"


def test_a_worker_that_failed_is_not_ready(school: Running) -> None:
    """The process is alive, the service is not ready, and why is not told to strangers."""
    school.ready = False
    try:
        answer = school.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "not ok\n")
        assert school.get("/healthz").status_code == 200
    finally:
        school.ready = True


def test_metrics_need_a_token(school: Running) -> None:
    """Nothing about traffic is open."""
    assert school.get("/metrics").status_code == 401
    assert school.get("/metrics", "auditor").status_code == 403
    assert "spanwatch_http_requests_total" in school.get("/metrics", "engineer").text
