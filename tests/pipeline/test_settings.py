"""Settings: file, environment and options on top of each other; what can't be used is named."""

from pathlib import Path

import pytest

from pipeline.settings import SettingsError, default_state, load_settings


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("SPANWATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("pipeline.settings.SYSTEM_FILE", tmp_path / "none.toml")


def test_last_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option outranks a variable, which outranks the file, which outranks the default; key by key."""
    file = tmp_path / "spanwatch.toml"
    file.write_text('[sensor]\nname = "file"\ninterface = "eth1"\nflows = 4096\n')
    monkeypatch.setenv("SPANWATCH_SENSOR__NAME", "variable")
    monkeypatch.setenv("SPANWATCH_SENSOR__FLOWS", "8192")
    sensor = load_settings(file, sensor={"flows": 16_384}).sensor
    assert (sensor.flows, sensor.name, sensor.interface, sensor.heads) == (16_384, "variable", "eth1", 4_096)


def test_variable_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPANWATCH_CONFIG names the settings file; variables that are no settings are left alone."""
    file = tmp_path / "spanwatch.toml"
    file.write_text("[api]\nport = 9\n")
    monkeypatch.setenv("SPANWATCH_CONFIG", str(file))
    monkeypatch.setenv("SPANWATCH_DEBUG", "1")
    monkeypatch.setenv("SPANWATCH_CACHE", str(tmp_path))
    assert load_settings().api.port == 9


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[sensor]\nflowz = 1\n", "sensor.flowz"),
        ("[sensor]\nflows = 1\n", "sensor.flows"),
        ("[api]\nport = 70000\n", "api.port"),
        ("[store]\nraw_days = -1\n", "store.raw_days"),
        ("colour = 1\n", "colour"),
        ("[sensor\n", "TOML"),
    ],
)
def test_unusable_files(text: str, key: str, tmp_path: Path) -> None:
    """A file with an unknown key, a value out of range, or no TOML is refused with file, key and mend."""
    file = tmp_path / "spanwatch.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert str(file) in str(caught.value)
    assert key in str(caught.value)
    assert ";" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_everything_lives_below_the_state_folder(tmp_path: Path) -> None:
    """Log, tokens and the embedded store are in the state folder unless told otherwise."""
    settings = load_settings(state=tmp_path)
    assert settings.log_file.parent == settings.access_file.parent == tmp_path
    assert settings.store_dsn == f"chdb://{tmp_path.resolve() / 'store'}"
    assert load_settings(store={"dsn": "http://there:1/x"}).store_dsn == "http://there:1/x"


def test_default_state_follows_the_desktop_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a packaged folder, the state is below XDG_STATE_HOME."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_state() in (tmp_path / "spanwatch", Path("/var/lib/spanwatch"))
