"""Settings: file, environment, overrides; what is refused and how that reads."""

from pathlib import Path

import pytest

from pipeline import settings as module
from pipeline.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither this machine's file nor its environment counts."""
    import os

    for name in list(os.environ):
        if name.startswith("SPANWATCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(module, "SYSTEM_FILE", tmp_path / "system.toml")


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_defaults_hold_without_a_file() -> None:
    """No file is no error."""
    made = load_settings()
    assert made == Settings(sensor=made.sensor, state=made.state)
    assert (made.sensor.flows, made.store.raw_days, made.api.port) == (262_144, 90, 8080)


def test_the_last_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """File, environment, overrides: each above the one before, key by key."""
    path = written(tmp_path / "a.toml", "[sensor]\nflows = 2000\nheads = 32\nname = 'file'\n[api]\nport = 1")
    monkeypatch.setenv("SPANWATCH_SENSOR__FLOWS", "3000")
    monkeypatch.setenv("SPANWATCH_SENSOR__NAME", "environment")
    made = load_settings(path, sensor={"name": "override"})
    assert (made.sensor.flows, made.sensor.heads, made.sensor.name, made.api.port) == (
        3_000,
        32,
        "override",
        1,
    )


def test_where_the_file_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The given path, else the variable's, else the system's."""
    written(tmp_path / "system.toml", "[api]\nport = 1")
    assert load_settings().api.port == 1
    monkeypatch.setenv("SPANWATCH_CONFIG", str(written(tmp_path / "b.toml", "[api]\nport = 2")))
    assert load_settings().api.port == 2
    assert load_settings(written(tmp_path / "c.toml", "[api]\nport = 3")).api.port == 3


def test_variables_that_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the cache and of debugging don't count as unknown keys."""
    monkeypatch.setenv("SPANWATCH_CACHE", "/somewhere")
    monkeypatch.setenv("SPANWATCH_DEBUG", "1")
    load_settings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[sensor]\nflow = 5", ["sensor.flow", "remove or rename"]),
        ("[nothing]\n", ["nothing", "remove or rename"]),
        ("[sensor]\nflows = 5", ["sensor.flows", "1024", "set another value"]),
        ("[sensor]\nflows = 'many'", ["sensor.flows", "set another value"]),
        ("[api]\nport = 70000", ["api.port", "65535"]),
        ("[sensor]\nduplicate_us = 16777216", ["sensor.duplicate_us", "set another value"]),
        ("sensor = 5", ["sensor"]),
        ("[sensor\n", ["cannot parse", "line 1"]),
    ],
)
def test_what_is_refused(text: str, words: list[str], tmp_path: Path) -> None:
    """A bad file has one line that names the file, the key and the mend."""
    path = written(tmp_path / "bad.toml", text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    line = str(caught.value)
    assert str(path) in line
    assert "\n" not in line
    for word in words:
        assert word in line


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a folder and bytes that are no text are one line each."""
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "missing.toml", tmp_path, tmp_path / "bytes.toml"):
        with pytest.raises(SettingsError, match=r"cannot (read|parse) settings") as caught:
            load_settings(path)
        assert "\n" not in str(caught.value)


def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable is an error, not silence."""
    monkeypatch.setenv("SPANWATCH_SENSOR__FLOWZ", "5000")
    with pytest.raises(SettingsError, match=r"sensor\.flowz"):
        load_settings()


def test_places_below_the_state() -> None:
    """Log, access file and store stand below the state folder unless the store is elsewhere."""
    made = Settings(state=Path("/var/x"))
    assert (made.log_file, made.access_file) == (Path("/var/x/outbox.sqlite"), Path("/var/x/access.sqlite"))
    assert made.store_dsn == "chdb:///var/x/store"
    elsewhere = load_settings(None, store={"dsn": "http://host:8123/db"})
    assert elsewhere.store_dsn == "http://host:8123/db"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "brokers = ['kafka']",
            ["stream.kafka.brokers", "'kafka' is no address of a broker; write host:port"],
        ),
        ("brokers = ['kafka:0']", ["stream.kafka.brokers", "host:port"]),
        ("brokers = ['u:secret@kafka:9092']", ["stream.kafka.brokers", "host:port"]),
        ("replication = 1", ["stream.kafka: min_insync 2 is above replication 1; lower it"]),
        ("key = 'a.key'", ["certificate and key go together; set both or none"]),
        ("ca = 'ca.pem'\nmechanism = 'SCRAM-SHA-512'", ["needs user and password_file; set both"]),
        ("mechanism = 'PLAIN'\nuser = 'a'\npassword_file = 'b'", ["without TLS; set tls = true, or ca"]),
        ("user = 'a'", ["need a mechanism; set SCRAM-SHA-512"]),
        ("mechanism = 'GSSAPI'", ["stream.kafka.mechanism", "; set another value"]),
        ("topic_prefix = 'a b'", ["stream.kafka.topic_prefix"]),
        ("password = 'secret'", ["stream.kafka.password", "; remove or rename it"]),
    ],
)
def test_what_is_refused_of_kafka(text: str, words: list[str], tmp_path: Path) -> None:
    """The line names the file, the key and the mend, and never a password."""
    path = written(tmp_path / "kafka.toml", f"[stream.kafka]\n{text}\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    line = str(caught.value)
    assert line.startswith(f"settings {path}: ")
    assert "\n" not in line
    assert "Value error" not in line
    for word in words:
        assert word in line
    if "password = " in text:
        assert "secret" not in line


def test_brokers_of_the_environment_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """As lists can't be written there; addresses of version 6 stand in brackets."""
    monkeypatch.setenv("SPANWATCH_STREAM__KAFKA__BROKERS", "a:9092, [::1]:9093,")
    assert load_settings().stream.kafka.brokers == ["a:9092", "[::1]:9093"]


def test_a_certificate_means_tls() -> None:
    """Whoever shows or checks certificates need not say so twice."""
    assert not load_settings().stream.kafka.encrypted
    assert load_settings(stream={"kafka": {"ca": "ca.pem"}}).stream.kafka.encrypted
    assert load_settings(stream={"kafka": {"tls": True}}).stream.kafka.encrypted


def test_a_site_without_a_name_is_its_sensor() -> None:
    """`stream.site` where it is set, else the sensor's name."""
    assert load_settings(sensor={"name": "gate"}).site == "gate"
    assert load_settings(sensor={"name": "gate"}, stream={"site": "north"}).site == "north"
