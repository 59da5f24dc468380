"""One measured run over a capture."""

from pathlib import Path

import pyarrow as pa

from pipeline.settings import SensorSettings
from spanwatch.measuring import measure
from tests.spanwatch.captures import first_frames


def test_a_run_is_counted_and_its_records_are_files(tmp_path: Path) -> None:
    """Every frame is counted, and the Arrow files hold as many rows as it says."""
    capture = first_frames(tmp_path / "small.pcap", 2_000)
    told = measure(str(capture), SensorSettings(flows=4_096, heads=64), tmp_path)
    assert told.packets == 2_000
    assert told.cpu_s > 0
    rows = [pa.ipc.open_stream(path).read_all().num_rows for path in tmp_path.glob("*.arrows")]
    assert sum(rows) == told.rows > 0
