"""Longest-prefix match over IPv4 and IPv6 networks, for a whole batch of 16-byte addresses."""

import ipaddress
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from pipeline.kernels import kernel

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED = 0xFFFF << 32
_SIGN = np.uint64(1 << 63)


@kernel
def _locate(high, low, keys_high, keys_low, out):
    """out[i] = index of the last key (high, low) at or below address i, or -1."""
    count = len(keys_high)
    for i in range(len(high)):
        a, b = high[i], low[i]
        begin = np.int64(0)
        end = np.int64(count)
        while begin < end:
            middle = (begin + end) // 2
            if keys_high[middle] < a or (keys_high[middle] == a and keys_low[middle] <= b):
                begin = middle + 1
            else:
                end = middle
        out[i] = begin - 1


def _ordered(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two int64 halves of big-endian 16-byte addresses, in the addresses' order."""
    words = packed.view(">u8").astype(np.uint64).reshape(-1, 2) ^ _SIGN
    signed = words.view(np.int64)
    return np.ascontiguousarray(signed[:, 0]), np.ascontiguousarray(signed[:, 1])


def mapped_range(network: Network) -> tuple[int, int]:
    """First and last address of a network in the 128-bit space; IPv4 is mapped (RFC 4291, 2.5.5.2)."""
    base = _MAPPED if network.version == 4 else 0
    return base + int(network.network_address), base + int(network.broadcast_address)


class PrefixTable:
    """Networks and a value for each; the longest prefix wins, of equal ones the first given."""

    def __init__(self, networks: Iterable[tuple[Network, int]]) -> None:
        spans = []
        seen = set()
        for network, value in networks:
            begin, end = mapped_range(network)
            if (begin, end) not in seen:
                seen.add((begin, end))
                spans.append((begin, -end, value))
        spans.sort()
        starts: list[int] = []
        values: list[int] = []
        stack: list[tuple[int, int]] = []

        def emit(at: int, value: int) -> None:
            if starts and starts[-1] == at:
                values[-1] = value
            else:
                starts.append(at)
                values.append(value)

        def close(until: int) -> None:
            while stack and stack[-1][0] < until:
                end, _ = stack.pop()
                emit(end + 1, stack[-1][1] if stack else -1)

        for begin, negative_end, value in spans:
            close(begin)
            emit(begin, value)
            stack.append((-negative_end, value))
        close(1 << 129)
        if starts and starts[-1] == 1 << 128:
            starts.pop()
            values.pop()
        packed = np.frombuffer(b"".join(start.to_bytes(16, "big") for start in starts), np.uint8)
        self._high, self._low = _ordered(packed)
        # Index -1 of `_locate` reads the last value: nothing.
        self._values = np.array([*values, -1], np.int32)

    def __len__(self) -> int:
        return len(self._high)

    def match(self, addresses: pa.FixedSizeBinaryArray) -> np.ndarray:
        """int32[n]: value of the longest network that holds each address, -1 for none and for null."""
        count = len(addresses)
        if count == 0 or len(self) == 0:
            return np.full(count, -1, np.int32)
        packed = np.frombuffer(addresses.buffers()[1], np.uint8)
        high, low = _ordered(packed[addresses.offset * 16 : (addresses.offset + count) * 16])
        at = np.empty(count, np.int64)
        _locate(high, low, self._high, self._low, at)
        found = self._values[at]
        if addresses.null_count:
            found[addresses.is_null().to_numpy(zero_copy_only=False)] = -1
        return found

    def find(self, packed: bytes) -> int:
        """Value for one 16-byte address, -1 for none."""
        return int(self.match(pa.array([packed], pa.binary(16)))[0])
