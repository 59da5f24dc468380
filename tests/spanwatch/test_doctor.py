"""The doctor: each check's level and mend, on this machine and on broken ones."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from capture.table import new_table
from pipeline.settings import ApiSettings, SensorSettings, Settings, StoreSettings
from spanwatch import doctor
from spanwatch.check import FAIL, OK, WARN, Check
from spanwatch.doctor import run_doctor
from spanwatch.listening import Heard
from spanwatch.services import bind


def _only(check: Callable[[Settings], Iterator[Check]], settings: Settings) -> Check:
    found = list(check(settings))
    assert len(found) == 1
    return found[0]


def test_missing_interface_fails_with_the_ones_there_are() -> None:
    """An interface that isn't there is a failure, and the mend names those that are."""
    found = _only(doctor.interface, Settings(sensor=SensorSettings(interface="nonesuch0")))
    assert found.level == FAIL
    assert "nonesuch0" in found.text
    assert "lo" in found.mend


def test_no_interface_is_a_warning() -> None:
    """A machine that only replays needs none."""
    assert _only(doctor.interface, Settings()).level == WARN


def test_loopback_is_up() -> None:
    """The loopback interface is up and its MTU is no obstacle."""
    found = {check.name: check for check in doctor.interface(Settings(sensor=SensorSettings(interface="lo")))}
    assert found["interface"].level == OK
    assert found["mtu"].level == OK


@pytest.mark.service
@pytest.mark.skipif(
    os.geteuid() != 0 or not (shutil.which("ip") and shutil.which("ethtool")),
    reason="making an interface needs root, iproute2 and ethtool",
)
def test_offloads_and_mtu_of_a_made_interface() -> None:
    """Merging offloads and a short MTU are found, and gone after the mend that the doctor names."""
    subprocess.run(
        ["ip", "link", "add", "swdoc0", "mtu", "1400", "type", "veth", "peer", "name", "swdoc1"], check=True
    )
    try:
        settings = Settings(sensor=SensorSettings(interface="swdoc0"))
        assert {check.name: check.level for check in doctor.interface(settings)}["interface"] == FAIL
        subprocess.run(["ip", "link", "set", "swdoc0", "up"], check=True)
        subprocess.run(["ethtool", "-K", "swdoc0", "gro", "on"], check=True)
        found = {check.name: check for check in doctor.interface(settings)}
        assert found["interface"].level == OK
        assert found["mtu"].level == WARN
        assert found["offloads"].level == WARN
        subprocess.run(found["offloads"].mend.split(), check=True)
        subprocess.run(found["mtu"].mend.split(), check=True)
        mended = {check.name: check.level for check in doctor.interface(settings)}
        assert mended == {"interface": OK, "mtu": OK, "offloads": OK}
    finally:
        subprocess.run(["ip", "link", "del", "swdoc0"], check=True)


def test_greedy_settings_are_a_warning() -> None:
    """More ring than there is memory is said before the kernel refuses it."""
    found = _only(doctor.memory, Settings(sensor=SensorSettings(ring_bytes=1 << 50)))
    assert found.level == WARN
    assert "ring_bytes" in found.mend


def _table_bytes(flows: int, heads: int) -> int:
    table = new_table(SensorSettings(flows=flows, heads=heads), 1, 1)
    return sum(array.nbytes for array in vars(table).values() if isinstance(array, np.ndarray))


def test_memory_is_what_the_tables_take() -> None:
    """The doctor reckons with a flow's and a head's bytes as they are, and little more."""
    base = _table_bytes(1_024, 64)
    flow = (_table_bytes(2_048, 64) - base) / 1_024
    head = (_table_bytes(1_024, 128) - base) / 64
    assert 0.97 * doctor.FLOW_BYTES <= flow <= doctor.FLOW_BYTES
    assert 0.97 * doctor.HEAD_BYTES <= head <= doctor.HEAD_BYTES
    assert base - 1_024 * flow - 64 * head <= doctor.FIXED_BYTES


def test_port_in_use_fails(tmp_path: Path) -> None:
    """A port that something else has is a failure with the mend."""
    with bind("127.0.0.1", 0) as held:
        settings = Settings(state=tmp_path, api=ApiSettings(port=held.getsockname()[1]))
        found = _only(doctor.port, settings)
    assert found.level == FAIL
    assert "--port" in found.mend
    assert _only(doctor.port, settings).level == OK


def test_broken_policy_fails(tmp_path: Path) -> None:
    """A policy that can't be used is a failure with its file and mend."""
    file = tmp_path / "policy.toml"
    file.write_text("[[rules]]\naction = 'maybe'\n")
    found = _only(doctor.rules, Settings(policy=file))
    assert found.level == FAIL
    assert str(file) in found.text
    assert found.mend


def test_unusable_store_fails(tmp_path: Path) -> None:
    """A store that can't be opened is a failure, not a crash."""
    settings = Settings(state=tmp_path, store=StoreSettings(dsn="http://127.0.0.1:9/spanwatch"))
    assert _only(doctor.store, settings).level == FAIL


def test_state_below_a_file_fails(tmp_path: Path) -> None:
    """A state folder that can't be made is a failure with the mend."""
    (tmp_path / "file").write_text("")
    found = _only(doctor.disk, Settings(state=tmp_path / "file" / "state"))
    assert found.level == FAIL
    assert "--state" in found.mend


def test_clock_is_judged() -> None:
    """The kernel answers whether the clock is synchronised."""
    found = _only(doctor.clock, Settings())
    assert found.level in (OK, WARN)
    assert "does not say" not in found.text


def test_result_is_the_worst_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warnings pass, one failure doesn't, and every check has its line."""
    monkeypatch.setattr(
        doctor, "CHECKS", (lambda _s: iter([Check("a", OK, "fine"), Check("b", WARN, "hm", "do")]),)
    )
    assert run_doctor(Settings(state=tmp_path))
    assert capsys.readouterr().out == "ok   a: fine\nwarn b: hm; do\n"
    monkeypatch.setattr(doctor, "CHECKS", (lambda _s: iter([Check("c", FAIL, "broken", "mend it")]),))
    assert not run_doctor(Settings(state=tmp_path))
    assert capsys.readouterr().out == "fail c: broken; mend it\n"


GOOD = Heard(frames=10_000, dropped=0, duplicates=3, truncated=0, unknown=10, connections=400, one_sided=20)


def _levels(heard: Heard) -> dict[str, str]:
    return {check.name: check.level for check in doctor.judge(heard, 5.0)}


def test_a_good_mirror() -> None:
    """Frames, no loss, both directions, each once: nothing to mend."""
    assert set(_levels(GOOD).values()) == {OK}
    assert _levels(GOOD._replace(connections=5, one_sided=5))["directions"] == OK


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"frames": 0}, "mirror"),
        ({"dropped": 1}, "drops"),
        ({"duplicates": 4_000}, "duplicates"),
        ({"one_sided": 390}, "directions"),
        ({"truncated": 9_000}, "whole frames"),
        ({"unknown": 5_000}, "decoded"),
    ],
)
def test_a_mirror_that_needs_mending(change: dict[str, int], name: str) -> None:
    """Silence, loss, copies, one direction, cut frames, an unknown wrapper: each is told with its mend."""
    found = {check.name: check for check in doctor.judge(GOOD._replace(**change), 5.0)}
    assert found[name].level == WARN
    assert found[name].mend


def test_without_an_interface_nothing_is_listened_to() -> None:
    """A machine that only replays has no mirror to judge."""
    assert list(doctor.mirror(Settings(), 1.0)) == []


def test_without_kafka_nothing_is_said_of_it() -> None:
    """A machine by itself has no brokers to check."""
    assert list(doctor.kafka(Settings())) == []
