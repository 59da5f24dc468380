"""What Prometheus is told."""

from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import Running


def samples(running: Running) -> dict[tuple[str, tuple], float]:
    text = running.get("/metrics", "administrator").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_sensors_and_worker(school: Running) -> None:
    """Each sensor's sums, the worker's numbers, and that the store answers."""
    got = samples(school)
    assert got["spanwatch_sensor_packets_total", (("sensor", "aula"),)] == 51_000
    assert got["spanwatch_worker_waiting_messages", ()] == 3
    assert got["spanwatch_store_up", ()] == 1


def test_requests_are_counted_by_template(school: Running) -> None:
    """Paths are templates, so that nobody's address becomes a label."""
    key = (
        "spanwatch_http_requests_total",
        (("method", "GET"), ("path", "/v1/devices/{mac}"), ("status", "404")),
    )
    before = samples(school).get(key, 0)
    school.get("/v1/devices/00:00:00:00:00:09", "helpdesk")
    got = samples(school)
    assert got[key] == before + 1
    assert not any("00:09" in str(key) for key in got)
