"""MAC addresses of clients, remembered from flows and sightings."""

import numpy as np
import pyarrow as pa

from classifiers import client_macs
from classifiers.client_macs import REMEMBERED_US, ClientMacs
from pipeline.records import address_bytes
from tests.classifiers.rows import batch

A, B = "10.1.0.1", "10.1.0.2"


def asked(known, *clients, at=0, sensor="s"):
    packed = pa.array([address_bytes(client) for client in clients], pa.binary(16))
    return known.macs(packed, np.full(len(clients), at, np.int64), sensor).tolist()


def test_flows_and_sightings_are_remembered():
    """The latest flow or ARP of a client says its MAC; what other sensors saw is another client."""
    known = ClientMacs()
    known.learn("flows", batch("flows", {"client": A, "client_mac": 1}, {"client": A, "client_mac": 2}), "s")
    sighted = batch(
        "sightings",
        {"ip": B, "mac": 3, "source": "arp"},
        {"ip": A, "mac": 9, "source": "dhcp_offer"},
        {"ip": "::", "mac": 4, "source": "arp"},
    )
    known.learn("sightings", sighted, "s")
    assert asked(known, A, B, "10.9.9.9", "::", A) == [2, 3, 0, 0, 2]
    assert asked(known, A, sensor="other") == [0]
    assert asked(known) == []


def test_what_is_long_ago_is_not_known():
    """An hour of event time away, before or after, a client's MAC is unknown."""
    known = ClientMacs()
    known.learn("flows", batch("flows", {"client": A, "client_mac": 1, "start": 10 * REMEMBERED_US}), "s")
    for hours, expected in ((8, 0), (9, 1), (11, 1), (12, 0)):
        assert asked(known, A, at=hours * REMEMBERED_US) == [expected]


def test_memory_is_bounded(monkeypatch):
    """Past the bound the clients longest unheard of are forgotten."""
    monkeypatch.setattr(client_macs, "MOST_CLIENTS", 2)
    known = ClientMacs()
    for number, client in enumerate((A, B, A, "10.1.0.3"), 1):
        known.learn("flows", batch("flows", {"client": client, "client_mac": number}), "s")
    assert asked(known, A, B, "10.1.0.3") == [3, 0, 4]
