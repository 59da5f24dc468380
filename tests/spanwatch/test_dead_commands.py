"""`dead` as a user calls it."""

import json
from pathlib import Path

import pytest

from pipeline.settings import load_settings
from pipeline.stream.log import Log
from pipeline.stream.message import encode
from spanwatch.cli import DONE, FAILED, USAGE, main
from spanwatch.services import open_parts
from tests.pipeline.batches import batch

Captured = pytest.CaptureFixture[str]


def test_a_message_set_aside_is_listed_and_replayed(tmp_path: Path, capsys: Captured) -> None:
    """A damaged message is listed with its reason; given back and whole again, its rows arrive once."""
    settings = load_settings(state=tmp_path)
    called = ["--state", str(tmp_path), "dead"]
    sent = encode("flows", batch("flows", 20), sensor="gate", boot="b1", sequence=0)
    with Log(settings.log_file, settings.stream.log_bytes) as log:
        log.append([sent._replace(schema=99)])
    with open_parts(settings) as parts:
        parts.worker.drain()
        assert parts.store.rows("SELECT count() AS n FROM flows") == [{"n": 0}]
        capsys.readouterr()
        assert main([*called, "list"]) == DONE
        dead = json.loads(capsys.readouterr().out)
        assert (dead["sensor"], dead["boot"], dead["sequence"], dead["records"]) == ("gate", "b1", 0, "flows")
        assert (dead["rows"], dead["id"]) == (20, 1)
        assert "schema version 99" in dead["reason"]
        assert dead["first"] < dead["last"] < dead["ts"]
        assert main([*called, "replay", "7"]) == USAGE
        assert "id 7" in capsys.readouterr().err
        # What an update of the program would do: now the version is known.
        parts.log._db.execute("UPDATE dead SET schema = ?", (sent.schema,))
        assert main([*called, "replay", "1"]) == DONE
        assert capsys.readouterr().out == "1 message given back\n"
        parts.worker.drain()
        assert parts.store.rows("SELECT count() AS n FROM flows") == [{"n": 20}]
        assert main([*called, "replay"]) == DONE
        assert main([*called, "list"]) == DONE
        assert capsys.readouterr().out == "0 messages given back\n"


def test_without_a_log_there_is_nothing_to_list(tmp_path: Path, capsys: Captured) -> None:
    """A folder without a log is named, and no log is made."""
    assert main(["--state", str(tmp_path), "dead", "list"]) == FAILED
    assert "outbox.sqlite" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
