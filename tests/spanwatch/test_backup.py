"""Backups: all of it comes back, and what is damaged or hostile changes nothing."""

import io
import json
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.settings import Settings, load_settings
from pipeline.stream.log import Log
from pipeline.stream.message import encode
from pipeline.stream.split_plan import Entry, SplitPlan
from spanwatch.backup import BackupError, restore_backup, write_backup
from spanwatch.services import only_worker, open_parts
from tests.pipeline.batches import batch

POLICY = """
organisation = "Test district"
inventory = ["devices.csv"]
[[sites]]
id = "north"
subnets = ["10.0.0.0/8"]
"""


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A host with rows, a waiting message, a policy with an inventory and a list."""
    home = tmp_path_factory.mktemp("school")
    (home / "policy.toml").write_text(POLICY)
    (home / "devices.csv").write_text("mac,tag\n02:00:00:00:00:01,lab\n")
    (home / "lists").mkdir()
    (home / "lists" / "games.txt").write_text("play.example\n")
    (home / "lists" / "sources.toml").write_text(
        '[[lists]]\nname = "games"\nfile = "games.txt"\nformat = "domains"\ncategories = ["games"]\n'
        'url = ""\nlicence = "none"\n'
    )
    settings = load_settings(state=home / "state", policy=home / "policy.toml", lists=home / "lists")
    with open_parts(settings) as parts:
        for sequence, records in enumerate(("flows", "dns", "sightings")):
            made = batch(records, 300, sequence)
            parts.log.append([encode(records, made, sensor="gate", boot="b1", sequence=sequence)])
        parts.worker.drain()
        parts.log.append([encode("dns", batch("dns", 7), sensor="gate", boot="b1", sequence=9)])
    SplitPlan(settings.split_file).note("dns", 0, "north", 6)
    return settings


@pytest.fixture(scope="module")
def saved(school: Settings) -> bytes:
    target = io.BytesIO()
    write_backup(school, target, school.policy)
    return target.getvalue()


def contents(settings: Settings) -> dict[str, Any]:
    """Every table's rows as a digest, and what waits in the log."""
    with open_parts(settings) as parts:
        names = [row["name"] for row in parts.store.rows(
            "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
        )]  # fmt: skip
        rows = {
            name: parts.store.rows(f"SELECT count() AS n, groupBitXor(cityHash64(*)) AS digest FROM {name}")
            for name in names
        }
        return {"rows": rows, "waiting": parts.log.waiting("worker")}


def test_everything_comes_back(school: Settings, saved: bytes, tmp_path: Path) -> None:
    """Rows of all tables, the waiting message, settings, policy, inventory and lists are there again."""
    there = load_settings(state=tmp_path / "new")
    told, placed = restore_backup(there, io.BytesIO(saved))
    assert told.rows is not None
    assert told.rows["flows"] == told.rows["dns"] == 300
    assert SplitPlan(there.split_file).latest("dns") == Entry(0, "north", 6)
    again = load_settings(state=there.state, policy=placed / "policy.toml", lists=placed / "lists")
    assert contents(again) == contents(school)
    assert contents(again)["waiting"][0] == 1
    assert (there.state / "outbox.sqlite").stat().st_mode & 0o777 == 0o640
    assert (placed / "devices.csv").read_text() == "mac,tag\n02:00:00:00:00:01,lab\n"
    assert (placed / "spanwatch.toml").read_text() == POLICY
    assert sorted(path.name for path in there.state.iterdir() if path.name.startswith(".")) == []


def test_a_sensor_may_write_meanwhile(school: Settings, tmp_path: Path) -> None:
    """The log is copied while another has it open and adds to it, and the copy is whole."""
    with Log(school.log_file, school.stream.log_bytes) as log:
        log.append([encode("dns", batch("dns", 5), sensor="gate", boot="b2", sequence=0)])
        target = io.BytesIO()
        write_backup(school, target, None)
        with tarfile.open(fileobj=io.BytesIO(target.getvalue())) as tar:
            copied = tar.extractfile("state/outbox.sqlite")
            assert copied is not None
            (tmp_path / "log").write_bytes(copied.read())
    database = sqlite3.connect(tmp_path / "log")
    assert database.execute("SELECT count(*) FROM messages WHERE boot = 'b2'").fetchone() == (1,)
    database.close()


def test_a_worker_must_not_run(school: Settings) -> None:
    """While a worker holds the folder nothing is saved or restored, and the line says so."""
    with only_worker(school), pytest.raises(OSError, match="works on"):
        write_backup(school, io.BytesIO(), None)


def test_what_is_there_is_never_overwritten(school: Settings, saved: bytes) -> None:
    """A state folder in use is refused, with its name."""
    with pytest.raises(BackupError, match="is there already; choose another"):
        restore_backup(school, io.BytesIO(saved))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_backup_that_was_cut_off_changes_nothing(saved: bytes, tmp_path: Path, share: float) -> None:
    """It is refused in one line, and the folder stays empty but for the lock."""
    with pytest.raises(BackupError, match="give"):
        restore_backup(load_settings(state=tmp_path), io.BytesIO(saved[: int(len(saved) * share)]))
    assert {path.name for path in tmp_path.iterdir()} <= {"worker.lock"}


def test_a_changed_byte_is_found(saved: bytes, tmp_path: Path) -> None:
    """One bit of a file's content, and the file is named."""
    with tarfile.open(fileobj=io.BytesIO(saved)) as tar:
        entry = next(e for e in tar if e.name == "state/outbox.sqlite")
    damaged = bytearray(saved)
    damaged[entry.offset_data + entry.size // 2] ^= 1
    with pytest.raises(BackupError, match=r"outbox\.sqlite is not what was saved"):
        restore_backup(load_settings(state=tmp_path), io.BytesIO(bytes(damaged)))


def _tar(*entries: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for entry, data in entries:
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    made.seek(0)
    return made


def _link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    return entry, b""


def _device(name: str) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.CHRTYPE
    return entry, b""


@pytest.mark.parametrize(
    "entries",
    [
        [(tarfile.TarInfo("state/../../evil"), b"x")],
        [(tarfile.TarInfo("/etc/evil"), b"x")],
        [(tarfile.TarInfo("evil"), b"x")],
        [_link("store/out", "../../.."), (tarfile.TarInfo("store/out/evil"), b"x")],
        [_link("store/out", "/etc")],
        [_link("store/a", "b/../.."), _link("store/b", "../../..")],
        [_device("state/null")],
        [(tarfile.TarInfo("state/a"), b"x"), (tarfile.TarInfo("state/a"), b"y")],
        [(tarfile.TarInfo("manifest.json"), b"[" * 100_000)],
        [(tarfile.TarInfo("manifest.json"), b'{"format": 1}')],
    ],
)
def test_a_hostile_file_leads_nowhere(entries: list[Any], tmp_path: Path) -> None:
    """Names and links that lead out, devices, doubles: refused, and nothing is left."""
    names = [entry.name for entry, _ in entries]
    if "manifest.json" not in names:
        manifest = {"format": 1, "rows": {}, "files": {}}
        entries = [*entries, (tarfile.TarInfo("manifest.json"), json.dumps(manifest).encode())]
    state = tmp_path / "deep" / "state"
    with pytest.raises(BackupError, match=r"give|restore"):
        restore_backup(load_settings(state=state), _tar(*entries))
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} <= {
        "deep/state/worker.lock"
    }
