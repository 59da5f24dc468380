"""Who was where, by real programs behind the real mirror: leases, sessions, tickets, and when they ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from capture.sensor import run_file
from pipeline.settings import SensorSettings
from spanwatch.services import open_parts
from tests.lab import network, servers
from tests.lab.detectors import guessing
from tests.lab.detectors.judge import settings_for
from tests.lab.detectors.play import recorded
from tests.lab.network import Lab
from tests.pipeline.stores import made_state

pytestmark = pytest.mark.service

LEASED, LEASE_S = "10.20.4.7", 120
USED = """
SELECT ip, MACNumToString(mac) AS mac, name, user, toString(source) AS source,
    toUnixTimestamp64Micro(`from`) / 1e6 AS begun, toUnixTimestamp64Micro(`to`) / 1e6 AS ended
FROM bindings FINAL ORDER BY begun, source, mac
"""


def judged(play: Callable[[Lab], None], folder: Path, *programs: str) -> list[dict[str, Any]]:
    """The bindings that the product makes of what the mirror of a lab showed."""
    if reason := network.why_not():
        pytest.skip(reason)
    if missing := [program for program in ("tcpdump", *programs) if shutil.which(program) is None]:
        pytest.skip(f"the test needs {', '.join(missing)}")
    with Lab() as lab, recorded(lab, folder / "mirror.pcap"):
        play(lab)
    settings = settings_for({}, {}, folder)
    made_state(settings.state)
    with open_parts(settings) as parts:
        assert not run_file(str(folder / "mirror.pcap"), SensorSettings(name="lab", flows=65_536), parts.log)
        parts.worker.drain()
        assert not parts.worker.status["warning"] + parts.worker.status["round_error"]
        rows = parts.store.rows(USED)
    return [row | {"mac": row["mac"].lower()} for row in rows]


def of(rows: list[dict[str, Any]], source: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["source"] == source]


def client(lab: Lab, host: str, *options: str) -> subprocess.Popen[bytes]:
    """udhcpc on a host, until it is told to end; the address is set as it is given."""
    script = lab.path / "lease.sh"
    if not script.exists():
        script.write_text(
            '#!/bin/sh\ncase "$1" in\nbound|renew) ip addr flush dev "$interface"; '
            'ip addr add "$ip/$mask" dev "$interface";;\ndeconfig) ip addr flush dev "$interface";;\nesac\n'
        )
        script.chmod(0o755)
    command = ["busybox", "udhcpc", "-f", "-i", "eth0", "-s", str(script), "-x", f"hostname:{host}", *options]
    return lab.start(host, command)


def told(process: subprocess.Popen[bytes], number: signal.Signals) -> float:
    """Signals the program that `ip netns exec` became; the time of it."""
    os.kill(process.pid, number)
    return time.time()


def settled(lab: Lab, host: str, address: str | None) -> None:
    end = time.monotonic() + 15
    while lab.address(host) != address:
        assert time.monotonic() < end, f"{host} has {lab.address(host)}, not {address}"
        time.sleep(0.05)


def test_leases_renewals_releases(tmp_path: Path) -> None:
    """dnsmasq and udhcpc: a lease is extended by a renewal seconds later, ends with its release, and goes to
    the next host, which keeps it for the time of its lease."""
    times: dict[str, float] = {}
    macs: dict[str, str] = {}

    def play(lab: Lab) -> None:
        lab.host("dhcp", "students", address="10.20.0.2")
        for host in ("cart-1", "cart-2"):
            macs[host] = lab.host(host, "students").mac
        lines = [
            "port=0",
            "interface=eth0",
            f"dhcp-range={LEASED},{LEASED},255.255.0.0,{LEASE_S}",
            "dhcp-rapid-commit",
        ]
        servers.start_dnsmasq(lab, "dhcp", "leases", [*lines, f"dhcp-leasefile={lab.path}/leases"])
        time.sleep(0.5)
        first = client(lab, "cart-1")
        settled(lab, "cart-1", LEASED)
        times["first"] = time.time()
        time.sleep(2)
        times["renewed"] = told(first, signal.SIGUSR1)
        time.sleep(2)
        times["released"] = told(first, signal.SIGUSR2)
        settled(lab, "cart-1", None)
        time.sleep(1)
        client(lab, "cart-2")
        settled(lab, "cart-2", LEASED)
        times["second"] = time.time()

    rows = judged(play, tmp_path, "busybox", "dnsmasq")
    one, two = of(rows, "dhcp")
    assert (one["ip"], one["mac"], two["ip"], two["mac"]) == (LEASED, macs["cart-1"], LEASED, macs["cart-2"])
    assert one["begun"] == pytest.approx(times["first"], abs=1.5)
    assert one["ended"] == pytest.approx(times["released"], abs=1)
    assert two["begun"] == pytest.approx(times["second"], abs=1.5)
    assert two["ended"] - two["begun"] == pytest.approx(LEASE_S)
    assert {(row["mac"], row["name"]) for row in of(rows, "dhcp_name")} == {
        (macs["cart-1"], "cart-1"),
        (macs["cart-2"], "cart-2"),
    }


def test_a_renewal_extends(tmp_path: Path) -> None:
    """A renewed lease holds for its time from the renewal on, though the sensor had just told the same."""
    renewed = 0.0

    def play(lab: Lab) -> None:
        nonlocal renewed
        lab.host("dhcp", "students", address="10.20.0.2")
        lab.host("cart-1", "students")
        lines = ["port=0", "interface=eth0", f"dhcp-range={LEASED},{LEASED},255.255.0.0,{LEASE_S}"]
        servers.start_dnsmasq(lab, "dhcp", "leases", [*lines, f"dhcp-leasefile={lab.path}/leases"])
        time.sleep(0.5)
        process = client(lab, "cart-1")
        settled(lab, "cart-1", LEASED)
        time.sleep(3)
        renewed = told(process, signal.SIGUSR1)
        time.sleep(1)

    [row] = of(judged(play, tmp_path, "busybox", "dnsmasq"), "dhcp")
    assert row["ended"] == pytest.approx(renewed + LEASE_S, abs=1)


def account(lab: Lab, what: str, user: str, session: str, mac: str) -> float:
    """An access point's accounting message, sent by radclient and answered by FreeRADIUS; the time of it."""
    request = lab.path / "request"
    request.write_text(
        f'Acct-Status-Type = {what}\nUser-Name = "{user}"\nAcct-Session-Id = "{session}"\n'
        f'Calling-Station-Id = "{mac.upper().replace(":", "-")}"\nNAS-Identifier = "ap-7"\nNAS-Port = 3\n'
    )
    at = time.time()
    lab.run("ap", ["radclient", "-r", "3", "-t", "2", "-f", str(request), "10.20.0.3", "acct", "labsecret"])
    return at


def test_sessions(tmp_path: Path) -> None:
    """FreeRADIUS and radclient: a user is bound to the device from start to stop, two in turn; a machine's
    session names the device."""
    times: dict[str, float] = {}
    macs: dict[str, str] = {}

    def play(lab: Lab) -> None:
        lab.host("radius", "students", address="10.20.0.3")
        lab.host("ap", "students", address="10.20.0.4")
        macs.update({name: lab.host(name, "students").mac for name in ("pc", "tablet")})
        folder = lab.path / "radius"
        folder.mkdir()
        (folder / "radiusd.conf").write_text(servers.filled("radius.conf", folder=folder))
        (folder / "dictionary").write_text("")
        lab.start("radius", ["freeradius", "-X", "-d", str(folder)])
        end = time.monotonic() + 15
        while "Ready to process requests" not in (lab.path / "radius-freeradius.log").read_text():
            assert time.monotonic() < end, (lab.path / "radius-freeradius.log").read_text()[-500:]
            time.sleep(0.1)
        times["one"] = account(lab, "Start", "Pupil.One", "s1", macs["pc"])
        account(lab, "Start", "host/lab-9.school.example", "s2", macs["tablet"])
        time.sleep(1.5)
        account(lab, "Interim-Update", "Pupil.One", "s1", macs["pc"])
        times["stop"] = account(lab, "Stop", "Pupil.One", "s1", macs["pc"])
        times["two"] = account(lab, "Start", "Pupil.Two", "s3", macs["pc"])

    rows = of(judged(play, tmp_path, "freeradius", "radclient"), "radius")
    people = [row for row in rows if row["user"]]
    assert [(row["user"], row["mac"]) for row in people] == [
        ("pupil.one", macs["pc"]),
        ("pupil.two", macs["pc"]),
    ]
    assert people[0]["begun"] == pytest.approx(times["one"], abs=1)
    assert people[0]["ended"] == pytest.approx(times["stop"], abs=1)
    assert people[1]["begun"] == pytest.approx(times["two"], abs=1)
    [machine] = [row for row in rows if not row["user"]]
    assert (machine["name"], machine["mac"]) == ("lab-9.school.example", macs["tablet"])


def test_tickets(tmp_path: Path) -> None:
    """krb5kdc and kinit: who got a ticket is bound to the address for eight hours; others are not."""
    times: dict[str, float] = {}
    macs: dict[str, str] = {}

    def kinit(lab: Lab, host: str, environment: Mapping[str, str], password: str) -> int:
        settings = " ".join(f"{name}={value}" for name, value in environment.items())
        return lab.run(
            host, ["sh", "-c", f"echo {password} | env {settings} kinit pupil"], check=False
        ).returncode

    def play(lab: Lab) -> None:
        lab.host("server", "infrastructure", address=guessing.SERVER)
        for number, host in enumerate(("right", "wrong")):
            macs[host] = lab.host(host, "students", address=f"10.20.6.{number + 1}").mac
        environment = guessing.start_kerberos(lab)
        times["ticket"] = time.time()
        assert kinit(lab, "right", environment, guessing.RIGHT) == 0
        assert kinit(lab, "wrong", environment, "no") != 0

    [row] = of(judged(play, tmp_path, "krb5kdc", "kinit"), "kerberos")
    assert (row["ip"], row["mac"]) == ("10.20.6.1", macs["right"])
    assert row["user"] == f"pupil@{guessing.REALM.lower()}"
    assert row["begun"] == pytest.approx(times["ticket"], abs=3)
    assert row["ended"] - row["begun"] == pytest.approx(8 * 3_600, abs=2)
