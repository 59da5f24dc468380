"""Which MAC address a client had: DNS rows carry none, the client's flows and sightings do."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: Event time that a client's MAC address is remembered for, either way, µs. Our default.
REMEMBERED_US = 3_600_000_000
#: Clients that are remembered; past it the longest known go. Our default.
MOST_CLIENTS = 262_144
#: Sightings in which a device states its own address.
SOURCES = ("arp", "ndp")


class ClientMacs:
    """Clients of each sensor and their MAC addresses, as far as one worker saw them. For one thread."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes], tuple[int, int]] = {}

    def learn(self, records: str, batch: pa.RecordBatch, sensor: str) -> None:
        """Remembers what a batch of flows or sightings says."""
        if records == "sightings":
            stated = pc.is_in(batch.column("source").cast(pa.string()), value_set=pa.array(SOURCES))
            batch = batch.filter(stated)
        address, mac, time = ("client", "client_mac", "start") if records == "flows" else ("ip", "mac", "ts")
        coded = batch.column(address).dictionary_encode()
        macs = batch.column(mac).to_numpy()
        us = batch.column(time).cast(pa.int64()).to_numpy()
        known = np.flatnonzero(macs)
        latest = np.full(len(coded.dictionary), -1)
        latest[coded.indices.to_numpy(zero_copy_only=False)[known]] = known
        for client, row in zip(coded.dictionary.to_pylist(), latest.tolist(), strict=True):
            if row >= 0 and any(client):
                self._known.pop((sensor, client), None)
                self._known[sensor, client] = (int(macs[row]), int(us[row]))
        while len(self._known) > MOST_CLIENTS:
            del self._known[next(iter(self._known))]

    def macs(self, clients: pa.FixedSizeBinaryArray, us: np.ndarray, sensor: str) -> np.ndarray:
        """uint64[n]: MAC address of each client (16-byte address) at each time (int64 µs), 0 unknown."""
        coded = clients.dictionary_encode()
        known = [self._known.get((sensor, client), (0, 0)) for client in coded.dictionary.to_pylist()]
        place = coded.indices.to_numpy(zero_copy_only=False)
        macs = np.array([mac for mac, _ in known], np.uint64)
        seen = np.array([at for _, at in known], np.int64)
        if not len(known):
            return np.zeros(len(clients), np.uint64)
        near = np.abs(us - seen[place]) <= REMEMBERED_US
        return np.where(near, macs[place], np.uint64(0))
