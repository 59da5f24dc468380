"""At which port of which switch a device is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.facts import Facts
from classifiers.switch_ports import SwitchPorts, port_text, switch_text
from tests.classifiers.conftest import at

MAC = 0x0016_3E00_0BAD


@pytest.mark.parametrize(
    ("circuit", "told"),
    [
        ("Gi1/0/7", "Gi1/0/7"),
        ("\\000\\004\\000\\024\\001\\005", "1/5"),
        ("\\000\\004\\000\\024\\001", "1/0"),
        ("\\000\\001\\255", "0001ff"),
    ],
)
def test_circuit_in_words(circuit, told):
    """Text stays, Cisco's form is module and port, anything else hex."""
    assert port_text(circuit) == told


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        ("closet-2", "closet-2"),
        ("\\000\\006\\000\\022>\\000\\001\\002", "00:16:3e:00:01:02"),
        ("\\000\\022>\\000\\001\\002", "00:16:3e:00:01:02"),
        ("\\001\\002", "0102"),
    ],
)
def test_remote_in_words(remote, told):
    """Text stays, a MAC is written as one, anything else hex."""
    assert switch_text(remote) == told


@given(st.text(max_size=300))
def test_any_identifier_is_bounded_text(text):
    """Whatever a relay sends, the words are short."""
    assert len(port_text(text)) <= 80
    assert len(switch_text(text)) <= 80


def ports(scribe, *macs: int, **facts: tuple[int, ...]) -> SwitchPorts:
    scribe.write()
    return SwitchPorts(scribe.store, Facts(**facts), macs, at(0), at(600))


def test_relay_and_radius_tell_the_port(scribe):
    """Option 82 of a server's answer, and the access server's port; the relay's address is its name."""
    scribe.sighting(
        0, "dhcp_ack", 1, "10.20.0.1", client_mac="00:16:3e:00:0b:ad", circuit="ge-0/0/3", relay="10.20.0.4"
    )
    scribe.sighting(0, "radius", 0x55, "::", port="Gi1/0/9", nas="closet-3")
    found = ports(scribe, MAC, 0x55)
    assert found.text(MAC, 20) == ", port ge-0/0/3 of 10.20.0.4 by DHCP option 82"
    assert found.text(0x55, 20) == ", port Gi1/0/9 of closet-3 by RADIUS"
    assert found.text(0x66, 20) == ""


def test_switch_s_own_announcement_tells_the_port_of_its_vlan(scribe):
    """An approved switch that names one port of a VLAN stands for it; with two ports nobody knows."""
    scribe.sighting(0, "lldp", 0x99, "::", "Gi1/0/5", called="core", capabilities="bridge", vlan="20")
    scribe.sighting(0, "lldp", 0x99, "::", "Gi1/0/6", called="core", capabilities="bridge", vlan="30")
    scribe.sighting(0, "lldp", 0x99, "::", "Gi1/0/7", called="core", capabilities="bridge", vlan="30")
    scribe.sighting(0, "lldp", 0xBAD, "::", "eth0", called="evil", capabilities="bridge", vlan="40")
    found = ports(scribe, MAC, switch_macs=(0x99,))
    assert found.text(MAC, 20) == ", port Gi1/0/5 of core by LLDP"
    assert found.text(MAC, 30) == found.text(MAC, 40) == found.text(MAC, 0) == ""
