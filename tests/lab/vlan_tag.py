"""eBPF programs that put an 802.1Q tag on a frame and take it off again, pinned for `tc filter … bpf`.

`tc … action vlan` does the same where the kernel has it (CONFIG_NET_ACT_VLAN); `bpf(2)` needs no more than
CONFIG_NET_CLS_BPF, and no compiler: each program is at most six instructions, see linux/bpf.h.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

SYS_BPF = {"x86_64": 321, "aarch64": 280}

BPF_PROG_LOAD = 5
BPF_OBJ_PIN = 6
BPF_PROG_TYPE_SCHED_CLS = 3

MOVE_IMMEDIATE = 0xB7  # BPF_ALU64 | BPF_MOV | BPF_K
CALL = 0x85  # BPF_JMP | BPF_CALL
EXIT = 0x95  # BPF_JMP | BPF_EXIT

SKB_VLAN_PUSH = 18  # helper numbers of linux/bpf.h; both leave r1, the frame, as they found it
SKB_VLAN_POP = 19
ETHERTYPE_8021Q = 0x0081  # in network order on a little-endian machine

NEXT_FILTER = -1  # TC_ACT_UNSPEC
ACCEPT = 0  # TC_ACT_OK


def instruction(code: int, register: int = 0, value: int = 0) -> bytes:
    """One eBPF instruction: operation code, destination register, immediate value."""
    return struct.pack("<BBhi", code, register, 0, value)


def push_program(vlan: int) -> bytes:
    """Tags the frame with `vlan` and goes on to the next filter."""
    return b"".join(
        [
            instruction(MOVE_IMMEDIATE, 2, ETHERTYPE_8021Q),
            instruction(MOVE_IMMEDIATE, 3, vlan),
            instruction(CALL, value=SKB_VLAN_PUSH),
            instruction(MOVE_IMMEDIATE, 0, NEXT_FILTER),
            instruction(EXIT),
        ]
    )


def pop_program() -> bytes:
    """Takes the tag off and lets the frame pass."""
    return b"".join(
        [
            instruction(CALL, value=SKB_VLAN_POP),
            instruction(MOVE_IMMEDIATE, 0, ACCEPT),
            instruction(EXIT),
        ]
    )


def pin(program: bytes, path: Path) -> None:
    """Loads a classifier program and pins it at `path` on a mounted bpffs; raises OSError."""
    code = ctypes.create_string_buffer(program, len(program))
    licence = ctypes.create_string_buffer(b"Apache-2.0")
    report = ctypes.create_string_buffer(65536)
    load = struct.pack(
        "<IIQQIIQ",
        BPF_PROG_TYPE_SCHED_CLS,
        len(program) // 8,
        ctypes.addressof(code),
        ctypes.addressof(licence),
        1,
        len(report),
        ctypes.addressof(report),
    )
    descriptor = _bpf(BPF_PROG_LOAD, load)
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot load the VLAN program: {os.strerror(number)} {report.value.decode()}")
    name = ctypes.create_string_buffer(os.fsencode(path))
    try:
        if _bpf(BPF_OBJ_PIN, struct.pack("<QII", ctypes.addressof(name), descriptor, 0)) < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"cannot pin the VLAN program at {path}: {os.strerror(number)}")
    finally:
        os.close(descriptor)


def _bpf(command: int, attributes: bytes) -> int:
    machine = os.uname().machine
    if machine not in SYS_BPF:
        raise OSError(f"the lab knows the bpf call of {', '.join(SYS_BPF)}, not of {machine}")
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, 128)
    return int(libc.syscall(SYS_BPF[machine], command, buffer, 128))
