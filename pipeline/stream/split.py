"""A batch split by the clients' hosts: rows of one host go to one partition, whoever relays them."""

import hashlib

import numpy as np
import pyarrow as pa

from pipeline.stream.message import Message, decode, part_of

#: The column that says whose row it is. Health is about the sensor: it stays whole.
OWNER = {"flows": "client", "dns": "client", "sightings": "mac"}
#: Odd multipliers of the finalizer of MurmurHash3 (A. Appleby), 64 bit.
MIX_A, MIX_B = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
SHIFT = np.uint64(33)


def split(
    message: Message, site: str, partitions: int, compression: str = "lz4"
) -> list[tuple[int, Message]]:
    """Parts of the message, each with the partition it belongs to; the whole where it need not be split.

    The same message, site and number of partitions give the same parts for ever. Raises ValueError where the
    message can't be decoded.
    """
    if partitions == 1 or not message.rows or message.records not in OWNER:
        return [(whole(message.sensor, site, partitions), message)]
    batch = decode(message)
    places = partition_of(batch[OWNER[message.records]], site, partitions)
    counts = np.bincount(places, minlength=partitions)
    used = np.flatnonzero(counts)
    if len(used) == 1:
        return [(int(used[0]), message)]
    order = np.argsort(places, kind="stable")
    sorted_ = batch.take(pa.array(order, pa.int32()))
    ends = np.cumsum(counts)
    return [
        (
            int(place),
            part_of(
                message,
                sorted_.slice(int(ends[place] - counts[place]), int(counts[place])),
                part=part,
                parts=len(used),
                compression=compression,
            ),
        )
        for part, place in enumerate(used)
    ]


def whole(sensor: str, site: str, partitions: int) -> int:
    """Partition of what is the sensor's own."""
    digest = hashlib.blake2b(f"{site}\0{sensor}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % partitions


def partition_of(owners: pa.Array, site: str, partitions: int) -> np.ndarray:
    """Partition of each row: hash(site, 16 bytes of an address, or a MAC) modulo `partitions`, as uint16."""
    seed = np.frombuffer(hashlib.blake2b(site.encode(), digest_size=8).digest(), "<u8")[0]
    words = np.frombuffer(owners.buffers()[1], "<u8")
    width = owners.type.bit_width // 64
    words = words[owners.offset * width : (owners.offset + len(owners)) * width].reshape(len(owners), width)
    mixed = np.full(len(owners), seed, "<u8")
    for column in range(width):
        mixed ^= words[:, column]
        mixed ^= mixed >> SHIFT
        mixed *= MIX_A
        mixed ^= mixed >> SHIFT
        mixed *= MIX_B
        mixed ^= mixed >> SHIFT
    return (mixed % np.uint64(partitions)).astype(np.uint16)
