"""QUIC handshakes under way: a small pool of places, found by the flow's serial number.

A place holds the connection id that the keys follow from, the keys, and the runs of the CRYPTO stream, whose
bytes stand in a stream head as those of TCP do.
"""

import numpy as np

from capture.flows import CLIENT_HEAD_DONE, NONE, release_head
from capture.octets import mix
from capture.reassembly import HEAD_US
from pipeline.kernels import packet_kernel

#: Longest connection id (RFC 9000, 17.2).
CID_MAX = 20
#: Runs of CRYPTO bytes kept apart while holes are open: browsers shuffle small frames. Our default.
CRYPTO_RUNS = 64
#: Places of the pool that one flow may take.
WAYS = 4

HANDSHAKES = np.dtype(
    [
        ("serial", "i8"),  # of the flow, plus one; 0 free
        ("touched", "i8"),
        ("version", "i8"),
        ("runs", "i4"),
        ("salt", "u1"),
        ("cid_len", "u1"),
        ("keyed", "u1"),  # bit set: keys of that side are there
        ("tries", "u1"),
        ("opened", "u1"),
        ("confirmed", "u1"),  # 1: a packet of the client was deciphered
        ("client_up", "u1"),  # 1: it came from the flow's client
        ("hello_done", "u1"),
        ("heard", "u1"),  # 1: a packet of the server was deciphered
    ],
    align=True,
)


@packet_kernel
def first_place(table, flow):
    """First of the places that the flow's handshake may take; the pool's last place is no flow's."""
    sets = (len(table.handshakes) - 1) // WAYS
    return (mix(flow.serial) & 0x7FFFFFFFFFFFFFFF) % sets * WAYS


@packet_kernel
def find_handshake(table, flow):
    """Place of the flow's handshake in the pool, `NONE` if it has none."""
    first = first_place(table, flow)
    for k in range(first, first + WAYS):
        if table.handshakes[k].serial == flow.serial + 1:
            return np.int64(k)
    return np.int64(NONE)


@packet_kernel
def take_handshake(table, flow, now):
    """A place for a new handshake: free, else stale, else of noise, else one that only waits for the server.

    `NONE` if all are putting a hello together.
    """
    first = first_place(table, flow)
    best, best_rank = np.int64(NONE), 3
    for k in range(first, first + WAYS):
        place = table.handshakes[k]
        if place.serial == 0 or abs(now - place.touched) > HEAD_US:
            rank = 0
        elif place.confirmed == 0:
            rank = 1
        elif place.hello_done == 1:
            rank = 2
        else:
            continue
        if rank < best_rank:
            best, best_rank = np.int64(k), rank
    if best != NONE:
        begin_handshake(table.handshakes[best], flow.serial + 1, now)
    return best


@packet_kernel
def begin_handshake(place, serial, now):
    """Make the place one of a handshake of which nothing is known."""
    place.serial = serial
    place.touched = now
    place.runs = 0
    place.keyed = 0
    place.tries = 0
    place.opened = 0
    place.confirmed = 0
    place.hello_done = 0
    place.heard = 0


@packet_kernel
def end_handshake(table, i, k):
    """Nothing more to read in this flow: give back its place and its stream head."""
    flow = table.flows[i]
    table.handshakes[k].serial = 0
    flow.done |= CLIENT_HEAD_DONE
    if flow.head != NONE:
        release_head(table, flow, 1)
