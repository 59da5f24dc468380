"""The guests' resolver: which names it blocks and what its answer carries on the wire."""

from __future__ import annotations

import dpkt
import pytest

from tests.lab import ede

QUESTION = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03WWW\x06tiktok\x03com\x00\x00\x01\x00\x01"
WITH_EDNS = QUESTION[:10] + b"\x00\x01" + QUESTION[12:] + b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"


def test_the_name_is_read_in_lower_case_up_to_the_end_of_its_question() -> None:
    """WWW.tiktok.com is asked; what follows the question is not part of it."""
    assert ede.question(WITH_EDNS) == ("www.tiktok.com", len(QUESTION))


@pytest.mark.parametrize("length", range(12, len(QUESTION)))
def test_a_cut_off_question_is_refused(length: int) -> None:
    """Any shorter message raises ValueError."""
    with pytest.raises(ValueError, match="cut off"):
        ede.question(QUESTION[:length])


def test_an_asker_without_edns_gets_no_option() -> None:
    """NXDOMAIN with the question, the identity and the wish for recursion, and nothing more."""
    answer = dpkt.dns.DNS(ede.refusal(QUESTION, len(QUESTION)))
    assert (answer.id, answer.rcode, answer.qr, answer.rd, answer.ra) == (0x1234, 3, 1, 1, 1)
    assert (len(answer.qd), len(answer.an), len(answer.ar)) == (1, 0, 0)


def test_an_asker_with_edns_is_told_why() -> None:
    """The OPT record carries option 15 with code 15, Blocked (RFC 8914, sections 2 and 4.16)."""
    answer = ede.refusal(WITH_EDNS, len(QUESTION))
    option = answer[len(QUESTION) + 11 :]
    assert answer[10:12] == b"\0\1"
    assert answer[len(QUESTION) + 9 : len(QUESTION) + 11] == len(option).to_bytes(2)
    assert option == b"\0\x0f" + (2 + len(ede.TEXT)).to_bytes(2) + b"\0\x0f" + ede.TEXT


@pytest.mark.parametrize(
    ("name", "blocked"), [("x.com", True), ("a.x.com", True), ("max.com", False), ("com", False)]
)
def test_whole_labels_are_matched(name: str, blocked: bool) -> None:
    """A domain and what is below it are blocked, a name that only ends in its letters is not."""
    assert ede.is_blocked(name, {"x.com"}) is blocked


def test_an_injected_answer_offers_no_recursion() -> None:
    """What a box on the line answers has RA = 0 and no option, though the asker speaks EDNS."""
    answer = dpkt.dns.DNS(ede.refusal(WITH_EDNS, len(QUESTION), injected=True))
    assert (answer.rcode, answer.ra, len(answer.ar)) == (3, 0, 0)
