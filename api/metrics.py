"""What Prometheus is told: requests answered, the worker's status, each sensor's counters."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.problems import Problem

_COUNTERS = {
    "seen": ("spanwatch_sensor_packets", "Frames the sensor processed"),
    "wire_bytes": ("spanwatch_sensor_bytes", "Wire bytes of those frames"),
    "kernel": ("spanwatch_sensor_dropped_kernel", "Frames the kernel dropped"),
    "ring": ("spanwatch_sensor_dropped_ring", "Frames dropped because the ring was full"),
    "copies": ("spanwatch_sensor_duplicates", "Second copies that the mirror sent, not counted again"),
    "cut_off": ("spanwatch_sensor_truncated", "Frames or packets that were cut off"),
    "broken": ("spanwatch_sensor_malformed", "Frames that could not be decoded"),
    "early": ("spanwatch_sensor_flows_evicted", "Flows written out early because the table was full"),
    "lost": ("spanwatch_sensor_records_lost", "Records the log's bound threw away"),
}
_GAUGES = {
    "open_flows": ("spanwatch_sensor_flows", "Flows in the table at the last report"),
    "waiting": ("spanwatch_sensor_outbox_bytes", "Bytes waiting in the log at the last report"),
    "latest": ("spanwatch_sensor_last_report_seconds", "Time of the last report, s since 1970"),
}


class Requests:
    """Counts the requests answered, by path template, method and status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.count = Counter(
            "spanwatch_http_requests", "Requests answered", ["path", "method", "status"], registry=registry
        )
        self.seconds = Histogram(
            "spanwatch_http_request_seconds", "Time to the last byte", ["path"], registry=registry
        )


class Fleet(Collector):
    """Asks worker and store at each scrape."""

    def __init__(
        self,
        sensors: Callable[[], list[dict[str, Any]]],
        status: Callable[[], Mapping[str, Any]] | None,
    ) -> None:
        self._sensors = sensors
        self._status = status

    def _lag(self) -> Metric:
        lag = GaugeMetricFamily(
            "spanwatch_kafka_lag_messages",
            "Messages that wait for this worker",
            labels=["topic", "partition"],
        )
        partitions = self._status().get("partitions", {}) if self._status else {}
        for name, waiting in sorted(partitions.items()):
            lag.add_metric(name.rsplit("/", 1), waiting)
        return lag

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        if self._status is not None:
            for name, value in sorted(self._status().items()):
                if isinstance(value, bool | int | float):
                    yield GaugeMetricFamily(f"spanwatch_worker_{name}", f"Worker: {name}", value=float(value))
            yield self._lag()
        try:
            rows = self._sensors()
        except Problem:
            yield GaugeMetricFamily("spanwatch_store_up", "The store answers", value=0.0)
            return
        yield GaugeMetricFamily("spanwatch_store_up", "The store answers", value=1.0)
        for column, (name, note) in _COUNTERS.items():
            counter = CounterMetricFamily(name, note, labels=["sensor"])
            for row in rows:
                counter.add_metric([row["name"]], row[column])
            yield counter
        for column, (name, note) in _GAUGES.items():
            gauge = GaugeMetricFamily(name, note, labels=["sensor"])
            for row in rows:
                gauge.add_metric([row["name"]], row[column])
            yield gauge
