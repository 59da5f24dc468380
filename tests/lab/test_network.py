"""The lab itself: it comes up, traffic crosses it, the mirror shows each frame once, nothing stays behind."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dpkt
import pytest

from tests.lab import network, plan, servers, traffic
from tests.lab.network import Lab

pytestmark = pytest.mark.service

ICMP_ECHO = (0, 8)


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab, where one can be built."""
    if reason := network.why_not():
        pytest.skip(reason)
    with Lab() as built:
        yield built


class Tap:
    """tcpdump at the mirror port while the block runs; `frames` afterwards."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.path = lab.path / "tap.pcap"
        self.frames: list[bytes] = []

    def __enter__(self) -> Tap:
        self.process = self.lab.start(
            "sensor", ["tcpdump", "-Z", "root", "-U", "-i", self.lab.mirror, "-w", str(self.path)], "tap.log"
        )
        end = time.monotonic() + 10
        while "listening" not in (self.lab.path / "tap.log").read_text():
            assert time.monotonic() < end, "tcpdump does not listen"
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(1.2)
        self.lab.stop(self.process)
        with open(self.path, "rb") as file:
            self.frames = [frame for _, frame in dpkt.pcap.Reader(file)]


def tag(frame: bytes) -> int | None:
    """The frame's VLAN number, None where it has no tag."""
    return int.from_bytes(frame[14:16]) & 0xFFF if frame[12:14] == b"\x81\x00" else None


def echoes(frames: list[bytes]) -> Counter[tuple[int | None, int, int, str, str]]:
    """How often each ICMP echo message is there: (VLAN, type, sequence, hardware source and destination)."""
    found: Counter[tuple[int | None, int, int, str, str]] = Counter()
    for frame in frames:
        inside = dpkt.ethernet.Ethernet(frame).data
        if isinstance(inside, dpkt.ip.IP) and isinstance(inside.data, dpkt.icmp.ICMP):
            message = inside.data
            if message.type in ICMP_ECHO:
                found[
                    tag(frame), message.type, message.data.seq, frame[6:12].hex(":"), frame[:6].hex(":")
                ] += 1
    return found


def leftovers(name: str) -> list[str]:
    """What the machine still shows of a lab: namespaces, links, folders."""
    seen = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout.split()
    seen += subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout.split()
    seen += [str(path) for folder in ("/etc/netns", "/tmp") for path in Path(folder).glob("*")]
    seen += Path("/proc/mounts").read_text().split()
    return [word for word in seen if name in word]


def test_the_mirror_shows_each_frame_once_with_its_tag(lab: Lab) -> None:
    """Ten pings inside a VLAN and ten through the gateway are forty tagged messages, none of them twice."""
    lab.host("one", "students", address="10.20.0.11")
    lab.host("two", "students", address="10.20.0.12")
    lab.host("teacher", "staff", address="10.30.0.11")
    lab.serve_on(["198.51.100.1"])
    with Tap(lab) as tap:
        for target in ("10.20.0.12", "198.51.100.1"):
            lab.run("one", ["busybox", "ping", "-c", "10", "-A", target])
    seen = echoes(tap.frames)
    assert set(seen.values()) == {1}
    assert len(seen) == 40
    assert {key[0] for key in seen} == {20}


def test_a_routed_packet_is_seen_in_the_vlan_it_leaves_and_the_one_it_reaches(lab: Lab) -> None:
    """From students to staff it is two frames: VLAN 20 to the gateway, VLAN 30 from it."""
    lab.host("one", "students", address="10.20.0.11")
    lab.host("teacher", "staff", address="10.30.0.11")
    with Tap(lab) as tap:
        lab.run("one", ["busybox", "ping", "-c", "1", "10.30.0.11"])
    requests = sorted(key for key in echoes(tap.frames) if key[1] == 8)
    assert [(vlan, target) for vlan, _, _, _, target in requests] == [
        (20, network.mac_for("gateway")),
        (30, network.mac_for("teacher")),
    ]


def test_vlans_are_apart(lab: Lab) -> None:
    """A broadcast in the students' VLAN does not reach the staff's."""
    lab.host("one", "students", address="10.20.0.11")
    lab.host("teacher", "staff")
    lab.run("teacher", ["ip", "addr", "add", "10.20.0.12/16", "dev", "eth0"])
    result = lab.run("one", ["busybox", "ping", "-c", "1", "-W", "1", "10.20.0.12"], check=False)
    assert result.returncode != 0


def test_frames_are_no_longer_than_the_wire_allows(lab: Lab) -> None:
    """A bulk transfer leaves full frames of 1518 bytes with the tag and none longer."""
    if reason := servers.why_not():
        pytest.skip(reason)
    servers.start_school(lab)
    lab.host("one", "students", address="10.20.0.11")
    with Tap(lab) as tap:
        said = traffic.download(lab, "one", "www.wikipedia.org", "update.cab", "100M")
    assert said.split()[:2] == ["200", str(servers.FILES["update.cab"])]
    assert max(map(len, tap.frames)) == 1518


def test_the_filter_acts_on_students_and_not_on_staff(lab: Lab) -> None:
    """Sinkhole, NXDOMAIN, refusal, reset and redirect reach the student; the teacher gets the page."""
    if reason := servers.why_not():
        pytest.skip(reason)
    servers.start_school(lab)
    lab.host("one", "students", address="10.20.0.11")
    lab.host("teacher", "staff", address="10.30.0.11")
    page = ["index.html"]
    assert traffic.visit(lab, "one", "www.tiktok.com", parts=page).split()[2] == plan.SINKHOLE
    assert traffic.visit(lab, "teacher", "www.tiktok.com", parts=page).split()[0] == "200"
    assert "status: NXDOMAIN" in traffic.look_up(lab, "one", "x.com")
    assert "status: REFUSED" in traffic.look_up(lab, "one", "www.bet365.com")
    assert "reset" in traffic.visit(lab, "one", "www.roblox.com", parts=page)
    assert traffic.visit(lab, "teacher", "www.roblox.com", parts=page).split()[0] == "200"
    assert traffic.visit_plain(lab, "one", "www.reddit.com").split()[2] == plan.SINKHOLE
    assert traffic.visit(lab, "one", "www.snapchat.com", parts=page).split()[0] == "200"


def test_a_host_gets_its_lease_by_dhcp(lab: Lab) -> None:
    """The gateway hands out the reserved address, and the resolver with it."""
    if reason := servers.why_not():
        pytest.skip(reason)
    servers.start_school(lab, {network.mac_for("student-laptop-3"): "10.20.0.13"})
    lab.host("student-laptop-3", "students")
    assert traffic.lease(lab, "student-laptop-3", "windows") == "10.20.0.13"
    assert traffic.visit(lab, "student-laptop-3", "www.wikipedia.org").startswith("200 ")


def fail_in(lab: Lab) -> None:
    """Raises RuntimeError inside the lab's block while a program runs in it."""
    with lab:
        lab.host("one", "students", address="10.20.0.11")
        lab.start("one", ["sleep", "600"])
        assert leftovers(lab.name)
        assert leftovers(lab.mirror)
        raise RuntimeError("in the middle")


def test_nothing_stays_behind() -> None:
    """No namespace, link, folder, mount or program of the lab outlives its block, even one that failed."""
    if reason := network.why_not():
        pytest.skip(reason)
    lab = Lab(mirror_in_root=True)
    with pytest.raises(RuntimeError, match="in the middle"):
        fail_in(lab)
    assert leftovers(lab.name) == []
    assert leftovers(lab.mirror) == []


def test_a_dead_process_s_lab_is_swept_away() -> None:
    """The next lab removes what one left behind whose process was killed."""
    if reason := network.why_not():
        pytest.skip(reason)
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = f"{network.PREFIX}-{gone.pid}-1"
    subprocess.run(["ip", "netns", "add", f"{left}-switch"], check=True)
    assert leftovers(left)
    network.sweep()
    assert leftovers(left) == []
