"""The lines of the table of first bytes."""

import pytest

from capture.flows import APPLICATION
from capture.protocols.identify import CHECKS
from capture.protocols.signatures import TCP_CLIENT, UDP_EITHER, read_signature, signature_tables


def test_bytes_of_a_line() -> None:
    """Whole bytes, halves, text, letters in either case, and a place beyond the first sixteen."""
    groups, row = read_signature('ssh tcp client 16 .. 1. .2 "a" i"b-" @20 ff 00', CHECKS)
    assert groups == (TCP_CLIENT,)
    assert row["mask_1"][0] == int.from_bytes(bytes.fromhex("ff00f00fffdfff00"), "big", signed=True)
    assert row["value_1"][0] == int.from_bytes(bytes.fromhex("1600100261422d00"), "big", signed=True)
    assert (row["far"][0], row["mask_3"][0], row["shortest"][0]) == (20, -(1 << 48), 22)


def test_options_of_a_line() -> None:
    """Lengths, port, length field, check, confirmation."""
    options = "shortest=9 longest=40 port=53 length=2@4le+6 check=ntp twice"
    _, row = read_signature(f"ntp udp either {options} 01", CHECKS)
    record = row[0]
    assert (record["shortest"], record["longest"], record["port"]) == (9, 40, 53)
    assert [record[f"length_{part}"] for part in ("size", "at", "little", "add")] == [2, 4, 1, 6]
    assert (CHECKS[record["check"]], record["twice"], record["application"]) == ("ntp", 1, APPLICATION["ntp"])


@pytest.mark.parametrize(
    "line",
    [
        "unheard tcp client 01",
        "ssh sctp client 01",
        "ssh udp client 01",
        "ssh tcp client 1",
        "ssh tcp client check=nothing",
        "ssh tcp client length=3@0 01",
        "ssh tcp client port=high 01",
        "ssh tcp client @16 01 02 03 04 05 06 07 08 09",
    ],
)
def test_wrong_lines(line: str) -> None:
    """A line with an unknown word, side, check, byte or length is refused."""
    with pytest.raises(ValueError, match=r"."):
        read_signature(line, CHECKS)


def test_order_by_first_byte() -> None:
    """The lines that allow a first byte stand together, in the file's order, and none is lost."""
    lines, order, starts = signature_tables(CHECKS)
    assert set(order.tolist()) == set(range(len(lines)))
    for group in (TCP_CLIENT, UDP_EITHER):
        for first in (0x00, 0x16, 0xFF):
            rows = order[starts[group, first] : starts[group, first + 1]]
            assert sorted(rows.tolist()) == rows.tolist()
            assert all(first & (lines.mask_1[r] >> 56 & 255) == lines.value_1[r] >> 56 & 255 for r in rows)


def test_every_check_is_used() -> None:
    """A check that no line names is dead."""
    lines, _, _ = signature_tables(CHECKS)
    assert {CHECKS[number] for number in lines.check} == set(CHECKS)
