"""The sensor under guards: the guards raise, and the corpus passes them."""

from typing import Any

import numpy as np
import pytest

from capture import content
from capture.octets import u8
from capture.protocols.outcomes import MORE, NOT
from tests.capture.corpus import CORPUS, inputs
from tests.capture.guarded import TARGETS, Guarded, Harness, exact_ends, guarded_sensor
from tests.capture.guided_seeds import SEEDS

pytestmark = pytest.mark.uncompiled

#: A connection to port 7001, its handshake seen, with bytes that no reader knows; cut in the middle.
UNKNOWN_STREAM = b"\x0f\1\x80\x80" + b"\xf1\xf2" * 20


@pytest.mark.parametrize("index", [-1, slice(-2, 3), slice(0, 9), (slice(0, 9),), np.int64(-1), 8])
def test_indices_that_numpy_lets_pass_raise(index: Any) -> None:
    """Negative indices and slices beyond the end raise like an index beyond the end."""
    array = np.zeros(8, np.uint8).view(Guarded)
    with pytest.raises(IndexError):
        array[index]
    with pytest.raises(IndexError):
        array[index] = 1


def test_records_have_no_last_one() -> None:
    """`NONE` as the number of a record raises, of a row of bytes, too."""
    table = guarded_sensor().table
    for array in (table.flows, table.head_data, table.slots, table.handshake_keys):
        with pytest.raises(IndexError):
            array[-1]
    with pytest.raises(IndexError):
        table.head_data[0][-1]
    with pytest.raises(IndexError):
        table.handshake_keys[0, -1]


@pytest.mark.parametrize(("behind", "raises"), [(0, True), (-1, False)])
def test_a_read_behind_the_end_raises(monkeypatch: pytest.MonkeyPatch, behind: int, raises: bool) -> None:
    """A reader that looks one byte too far is caught, in a segment and in bytes put together."""
    ends = set()

    def look(table: Any, buf: Any, start: int, end: int, final: int, i: int) -> int:
        ends.add(end - start)
        u8(buf, end + behind)
        return NOT if final else MORE

    monkeypatch.setattr(content, "read_tls", look)
    with exact_ends():
        if raises:
            with pytest.raises(IndexError):
                TARGETS["streams"](Harness(), UNKNOWN_STREAM)
        else:
            TARGETS["streams"](Harness(), UNKNOWN_STREAM)
            assert ends == {20, 40}


@pytest.mark.parametrize("name", TARGETS)
def test_made_frames_stay_inside(name: str) -> None:
    """Every kind of made frame is read without an index out of bounds, and what it borrowed is given back."""
    harness = Harness()
    tried = 0
    with exact_ends():
        for data in SEEDS[name]():
            TARGETS[name](harness, data)
            harness.settle(tried % 16 == 0)
            tried += 1
    assert tried > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_stays_inside(name: str) -> None:
    """What the guided search found once, and what it needed to reach all that it reached, goes well."""
    harness = Harness()
    known = inputs(name)
    with exact_ends():
        for number, data in enumerate(known):
            TARGETS[name](harness, data)
            harness.settle(number % 64 == 0)
    assert len(known) > 50


def test_each_target_has_a_corpus() -> None:
    """There is a file of inputs for each target, and none besides."""
    assert {file.stem for file in CORPUS.iterdir()} == set(TARGETS)
