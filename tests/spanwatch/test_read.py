"""`spanwatch read`: what it prints, from what, and what it says about bad files."""

import gzip
import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.records import RECORDS
from spanwatch.cli import DONE, FAILED, main
from spanwatch.demo import CAPTURE
from tests.spanwatch.captures import demo_bytes, first_frames
from tests.spanwatch.program import COMMAND, environment, one_line, run

Captured = pytest.CaptureFixture[bytes]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 4,000 frames of the bundled capture."""
    return first_frames(tmp_path_factory.mktemp("captures") / "small.pcap", 4_000)


def _rows(capfdbinary: Captured, *arguments: str | Path) -> list[dict[str, Any]]:
    assert main(["read", *map(str, arguments)]) == DONE
    output = capfdbinary.readouterr()
    assert output.err == b""
    return [json.loads(line) for line in output.out.splitlines()]


@pytest.mark.parametrize("kind", ["flows", "dns", "sightings", "health"])
def test_one_object_a_line(kind: str, small: Path, capfdbinary: Captured) -> None:
    """Each line is an object with the fields of the record in their order, times and addresses as text."""
    rows = _rows(capfdbinary, small, "--records", kind)
    names = [field.name for field in RECORDS[kind]] + (["community_id"] if kind == "flows" else [])
    assert rows
    assert all(list(row) == names for row in rows)
    time = "start" if kind == "flows" else "ts"
    assert all(TIME.fullmatch(row[time]) for row in rows)
    if kind in ("flows", "dns"):
        assert any(re.fullmatch(r"\d+\.\d+\.\d+\.\d+", row["client"]) for row in rows)


def test_several_files_are_apart(small: Path, tmp_path: Path, capfdbinary: Captured) -> None:
    """With several files each object has `file`, and each file gives the rows it gives alone."""
    other = first_frames(tmp_path / "other.pcap", 1_000)
    together = _rows(capfdbinary, other, small)
    assert next(iter(together[0])) == "file"
    assert {row["file"] for row in together} == {str(other), str(small)}
    for file in (other, small):
        rows = [{k: v for k, v in row.items() if k != "file"} for row in together if row["file"] == str(file)]
        assert _sorted(rows) == _sorted(_rows(capfdbinary, file))


def _sorted(rows: list[dict[str, Any]], *without: str) -> list[str]:
    return sorted(json.dumps({k: v for k, v in row.items() if k not in without}) for row in rows)


def test_packed_files_and_standard_input(small: Path, tmp_path: Path, capfdbinary: Captured) -> None:
    """Packed or piped in, the same frames give the same rows; only the ids of the flows differ."""
    plain = _sorted(_rows(capfdbinary, small), "flow_id")
    packed = tmp_path / "small.gz"
    packed.write_bytes(gzip.compress(small.read_bytes()))
    assert _sorted(_rows(capfdbinary, packed), "flow_id") == plain
    done = run("read", "-", stdin=small.read_bytes())
    assert done.stderr == b""
    assert _sorted([json.loads(line) for line in done.stdout.splitlines()], "flow_id") == plain


@pytest.mark.parametrize("kind", ["flows", "dns", "sightings", "health"])
def test_parquet_holds_the_same(kind: str, small: Path, capfdbinary: Captured) -> None:
    """The Parquet file has the rows of the JSON lines, with times as times."""
    rows = _rows(capfdbinary, small, "--records", kind)
    assert main(["read", str(small), "--records", kind, "--format", "parquet"]) == DONE
    table = pq.read_table(io.BytesIO(capfdbinary.readouterr().out))
    assert table.column_names == list(rows[0])
    assert len(table) == len(rows)
    for name in table.column_names:
        if pa.types.is_timestamp(table.schema.field(name).type):
            continue
        values = table.column(name).to_pylist()
        if name == "attributes":
            values = [dict(value) for value in values]
        assert values == [row[name] for row in rows], name


def test_parquet_of_nothing_has_its_columns(tmp_path: Path, capfdbinary: Captured) -> None:
    """A capture without such records gives a valid file without rows."""
    empty = first_frames(tmp_path / "empty.pcap", 0)
    assert main(["read", str(empty), "--format", "parquet"]) == DONE
    table = pq.read_table(io.BytesIO(capfdbinary.readouterr().out))
    assert len(table) == 0
    assert "community_id" in table.column_names


def test_not_a_capture(tmp_path: Path) -> None:
    """A file that is no capture is exit code 1 and one line with its name and the mend."""
    file = tmp_path / "letter.txt"
    file.write_text("Dear network, " * 100)
    done = run("read", file)
    assert done.returncode == FAILED
    assert done.stdout == b""
    line = one_line(done)
    assert str(file) in line
    assert ";" in line


def test_bad_file_among_good_ones(small: Path, tmp_path: Path, capfdbinary: Captured) -> None:
    """A bad file costs its own rows only."""
    bad = tmp_path / "bad"
    bad.write_bytes(b"\x00" * 100)
    alone = _rows(capfdbinary, small)
    assert main(["read", str(bad), str(small)]) == FAILED
    output = capfdbinary.readouterr()
    assert len(output.out.splitlines()) == len(alone)
    assert len(output.err.splitlines()) == 1


def test_cut_off_capture(small: Path, tmp_path: Path, capfdbinary: Captured) -> None:
    """The rows before the cut are printed, one line says where it is, and the exit code is 1."""
    data = small.read_bytes()
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(data[: len(data) - 7])
    whole = first_frames(tmp_path / "whole.pcap", 3_999)
    expected = _sorted(_rows(capfdbinary, whole), "flow_id")
    assert main(["read", str(cut)]) == FAILED
    output = capfdbinary.readouterr()
    assert _sorted([json.loads(line) for line in output.out.splitlines()], "flow_id") == expected
    lines = output.err.decode().splitlines()
    assert len(lines) == 1
    assert "cut off" in lines[0]
    assert "3999 frames" in lines[0]


def test_reader_that_has_enough(small: Path) -> None:
    """`spanwatch read … | head -1` ends quietly."""
    process = subprocess.Popen(
        [*COMMAND, "read", str(CAPTURE)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b"{")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(120) == DONE


@pytest.mark.slow
def test_findings_of_the_bundled_day(capfdbinary: Captured) -> None:
    """The detectors run over an in-memory store and find what was done."""
    rows = _rows(capfdbinary, CAPTURE, "--records", "findings")
    found = {(row["detector"], row["subject"]) for row in rows}
    assert {
        ("rogue_dhcp", "10.20.0.77"), ("address_scan", "10.20.0.66"), ("arp_scan", "10.20.0.66"),
        ("address_sharing", "10.20.0.88"), ("streaming_share", "10.20.0.15"),
    } <= found  # fmt: skip
    assert all(TIME.fullmatch(row["from"]) for row in rows)


@pytest.mark.slow
def test_findings_are_apart(tmp_path: Path, capfdbinary: Captured) -> None:
    """Findings of one file are not those of the next: the same file twice gives the same findings twice."""
    copies = [tmp_path / "a.pcap", tmp_path / "b.pcap"]
    for copy in copies:
        copy.write_bytes(demo_bytes())
    rows = _rows(capfdbinary, *copies, "--records", "findings")
    found: dict[str, list[dict[str, Any]]] = {str(copy): [] for copy in copies}
    for row in rows:
        found[row.pop("file")].append(row)
    one, other = found.values()
    assert one == other != []
