"""Which site and group a client belongs to."""

import numpy as np
import pyarrow as pa

from classifiers.places import NOWHERE, Devices, Places
from classifiers.policy_model import Policy
from pipeline.records import address_bytes

TWO_SITES = Policy.model_validate(
    {
        "organisation": "Test",
        "sites": [
            {"id": "north", "sensors": ["n1", "n2"], "subnets": ["10.0.0.0/8"]},
            {"id": "south", "sensors": ["s1", "n2"], "subnets": ["10.128.0.0/9"], "vlans": [99]},
            {"id": "rest"},
        ],
        "groups": [
            {"id": "students", "subnets": ["10.20.0.0/16", "2001:db8:20::/64"], "vlans": [20]},
            {"id": "servers", "subnets": ["10.20.0.1/32"], "sites": ["north"]},
            {"id": "labs", "vlans": [21], "sites": ["south"]},
        ],
    }
)


def locate(sensor, *clients):
    """(site, group) indexes of (address, VLAN) pairs."""
    addresses = pa.array([address_bytes(address) for address, _ in clients], pa.binary(16))
    site, group = Places(TWO_SITES, sensor, Devices(TWO_SITES)).locate(
        addresses, np.array([vlan for _, vlan in clients], np.uint16)
    )
    return list(zip(site.tolist(), group.tolist(), strict=True))


def test_the_longest_prefix_then_the_vlan():
    """A longer prefix outranks a shorter, a subnet outranks a VLAN, and neither leaves no group."""
    found = locate("n1", ("10.20.0.1", 20), ("10.20.0.2", 20), ("10.9.0.1", 20), ("10.9.0.1", 0))
    assert found == [(0, 1), (0, 0), (0, 0), (0, NOWHERE)]
    assert locate("n1", ("8.8.8.8", 0)) == [(0, NOWHERE)]


def test_a_group_of_another_site_is_not_used():
    """Prefixes and VLANs of a group hold at its sites alone."""
    assert locate("s1", ("10.20.0.1", 0), ("10.9.0.1", 21)) == [(1, 0), (1, 2)]
    assert locate("n1", ("10.9.0.1", 21)) == [(0, NOWHERE)]


def test_a_sensor_of_two_sites_tells_them_apart():
    """Where a sensor sees two sites, the longest prefix and then the VLAN says which."""
    found = locate("n2", ("10.200.0.1", 0), ("10.1.0.1", 0), ("192.168.0.1", 99), ("192.168.0.1", 0))
    assert [site for site, _ in found] == [1, 0, 1, NOWHERE]


def test_an_unnamed_sensor_belongs_to_the_site_without_sensors():
    """A sensor that no site names is that of the site that names none."""
    assert locate("other", ("1.2.3.4", 0)) == [(2, NOWHERE)]
    assert Places(TWO_SITES, "other", Devices(TWO_SITES)).only_site == 2
    assert Places(TWO_SITES, "n2", Devices(TWO_SITES)).only_site == NOWHERE


def test_ipv6_and_odd_vlans():
    """IPv6 prefixes are matched, and a VLAN id past 12 bits reads nothing outside its table."""
    assert locate("n1", ("2001:db8:20::5", 0), ("2001:db8:21::5", 65_535)) == [(0, 0), (0, NOWHERE)]
