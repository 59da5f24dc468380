"""The hash table of listed names, where every hash is the same."""

import numpy as np

from blocklists import slots as slots_module
from blocklists.build import Builder, Statement
from blocklists.matcher import Source

SOURCE = Source("made", "Made", "made.txt", "domains", (), False, "", 0)


def test_equal_hashes_are_told_apart(monkeypatch):
    """With every fingerprint and slot the same, the text decides: nothing false matches, nothing is lost."""
    names = [f"n{i}.example{i % 7}.org" for i in range(200)]
    builder = Builder()
    said = builder.statement(Statement(1, "", builder.source(SOURCE), False))
    builder.add(names, range(len(names)), [said] * len(names))
    matcher = builder.build()
    sections = dict(matcher._sections)
    bits = matcher._fingerprint_bits
    slots = np.zeros(64, np.uint32)
    blocks = len(sections["block_start"])
    mix = slots_module._mix
    fill = getattr(slots_module.fill_slots, "py_func", slots_module.fill_slots)
    match = getattr(slots_module.find_suffixes, "py_func", slots_module.find_suffixes)
    monkeypatch.setattr(slots_module, "_mix", lambda h: 0 * h)
    reverse = [name[::-1].encode() for name in sorted(names, key=lambda n: n[::-1])]
    offsets = np.cumsum([0] + [len(name) for name in reverse])
    slots = np.zeros(1024, np.uint32)
    fill(slots, len(reverse), bits, offsets, np.frombuffer(b"".join(reverse), np.uint8))
    assert blocks > 1
    assert len({int(slot) & ((1 << bits) - 1) for slot in slots[: len(names)]}) == 1
    asked = [*names, *("www." + name for name in names), *("x" + name for name in names)]
    text = "".join(asked).encode()
    ends = np.cumsum([0] + [len(name) for name in asked])
    out = np.full(len(asked), -1, np.int32)
    match(
        sections["front"], sections["block_start"], slots, bits, False, ends,
        np.frombuffer(text, np.uint8), 0, out,
    )  # fmt: skip
    assert mix is not slots_module._mix
    assert (out[: 2 * len(names)] >= 0).all()
    assert (out[2 * len(names) :] == -1).all()
    assert len(set(out[: len(names)].tolist())) == len(names)
