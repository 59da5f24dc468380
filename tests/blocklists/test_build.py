"""Compiling: what several statements about a name, and about those above it, come to."""

import ipaddress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.build import Builder, Statement
from blocklists.matcher import LabelSet, Source
from blocklists.taxonomy import mask_of, names_of
from pipeline.records import address_bytes

SOURCE = Source("made", "Made", "made.txt", "domains", (), False, "", 0)


def matcher_of(statements):
    """A matcher over (name, mask, service, exception) rows; a row's line is its place from 1."""
    builder = Builder()
    source = builder.source(SOURCE)
    for line, (name, mask, service, exception) in enumerate(statements, 1):
        builder.add([name], [line], [builder.statement(Statement(mask, service, source, exception))])
    return builder.build()


def listed(*names):
    return matcher_of([(name, 1, "", False) for name in names])


def test_statements_about_one_name_are_one_label_set():
    """Categories of several lists are joined, the first service stays, lines of all are kept."""
    matcher = matcher_of(
        [("example.org", 1, "", False), ("example.org", 2, "A", False), ("example.org", 0, "B", False)]
    )
    assert matcher.names == 1
    assert matcher.labels("example.org") == LabelSet(3, "A")
    assert [origin.line for origin in matcher.lookup("example.org").origins] == [1, 2, 3]


def test_a_deep_chain_of_names_is_compiled():
    """A name with a listed name at each of its 120 labels has the labels of the longest."""
    names = [".".join(["a"] * labels) for labels in range(2, 122)]
    matcher = matcher_of([(name, 1 << (i % 20), "", False) for i, name in enumerate(names)])
    for i, name in enumerate(names):
        assert matcher.labels(f"b.{name}").mask == 1 << (i % 20)


def test_too_many_statements_are_refused():
    """More kinds of statement than a row can number are refused with the reason."""
    builder = Builder()
    for number in range(65_536):
        builder.statement(Statement(1, f"service {number}", 0, False))
    with pytest.raises(ValueError, match="65,535"):
        builder.build()


def test_exceptions_win_over_longer_names():
    """An exception takes its categories from its name and from listed names below it."""
    matcher = matcher_of(
        [("example.org", 1, "", False), ("a.example.org", 1, "", False), ("b.a.example.org", 3, "", False),
         ("a.example.org", 1, "", True)]
    )  # fmt: skip
    assert matcher.labels("example.org").mask == 1
    assert matcher.labels("a.example.org").mask == 0
    assert matcher.labels("x.a.example.org").mask == 0
    assert matcher.labels("b.a.example.org").mask == 2


def test_a_name_between_does_not_hide_the_parent():
    """`a-b.example.org` sorts between `b.example.org` and what is below it, and changes nothing there."""
    matcher = matcher_of(
        [("b.example.org", 1, "", True), ("a-b.example.org", 2, "", False), ("a.b.example.org", 1, "", False)]
    )
    assert matcher.labels("a.b.example.org").mask == 0


def test_a_service_is_inherited():
    """A listed name without a service of its own has that of the name above it."""
    matcher = matcher_of([("example.org", 1, "Example", False), ("cdn.example.org", 2, "", False)])
    assert matcher.labels("x.cdn.example.org") == LabelSet(2, "Example")


def test_version_is_of_the_content():
    """The same statements give the same version, another category gives another."""
    assert listed("foo.com").version == listed("foo.com").version
    assert matcher_of([("foo.com", 2, "", False)]).version != listed("foo.com").version


def test_names_listed_for_themselves_alone():
    """A name listed alone says nothing of what is below it, and adds to what is said of both."""
    builder = Builder()
    source = builder.source(Source("one", "One", "one.txt", "adblock", (), False, "", 0))
    games, chat = mask_of(["games"]), mask_of(["chat"])
    said = [
        builder.statement(Statement(games, "", source, False)),
        builder.statement(Statement(chat, "Alone", source, False, "data/x")),
        builder.statement(Statement(games | chat, "", source, True)),
    ]
    names = [
        "=alone.example.org", "example.org", "=both.example.org", "both.example.org", "=out.example.org",
        "example.net", "=a.example.net", "b-a.example.net",
    ]  # fmt: skip
    builder.add(names, range(1, 9), [said[i] for i in (1, 0, 1, 0, 2, 0, 2, 1)])
    matcher = builder.build()
    asked = {
        "alone.example.org": ["chat"], "www.alone.example.org": ["games"], "example.org": ["games"],
        "both.example.org": ["games", "chat"], "www.both.example.org": ["games"], "out.example.org": [],
        "www.out.example.org": ["games"], "a.example.net": [], "x.a.example.net": ["games"],
        "b-a.example.net": ["chat"], "xalone.example.org": ["games"], "alone.example.com": [],
    }  # fmt: skip
    for name, categories in asked.items():
        assert matcher.lookup(name).categories == names_of(mask_of(categories)), name
        assert names_of(matcher.labels(name).mask) == matcher.lookup(name).categories, name
    origins = matcher.lookup("alone.example.org").origins
    assert [(o.name, o.line, o.member, o.exact) for o in origins] == [
        ("alone.example.org", 1, "data/x", True), ("example.org", 2, "", False),
    ]  # fmt: skip
    assert [o.line for o in matcher.lookup("both.example.org").origins] == [3, 4, 2]


@settings(deadline=None)
@given(
    st.sets(
        st.tuples(
            st.booleans(),
            st.lists(st.sampled_from("abc-"), min_size=1, max_size=3)
            .map("".join)
            .map(lambda s: s.strip("-") or "x")
            .flatmap(lambda s: st.sampled_from([f"{s}.org", f"{s}.a.org", f"a.{s}.org"])),
        ),
        max_size=12,
    ),
    st.lists(
        st.sampled_from(["a.org", "b.a.org", "a.b.a.org", "c.org", "a-b.org", "x.a-b.org", "a.c.org"]),
        max_size=8,
    ),
)
def test_exact_and_whole_names_agree_with_a_plain_search(listed, asked):
    """The compiled matcher says of each name what a search through the list would say."""
    builder = Builder()
    source = builder.source(Source("one", "One", "one.txt", "adblock", (), False, "", 0))
    number = builder.statement(Statement(1, "", source, False))
    builder.add(
        [("=" if exact else "") + name for exact, name in listed], [1] * len(listed), [number] * len(listed)
    )
    matcher = builder.build()
    for name in [*asked, *(name for _, name in listed), *("w." + name for _, name in listed)]:
        expected = any(name == one or (not exact and name.endswith("." + one)) for exact, one in listed)
        assert bool(matcher.labels(name).mask) == expected, name


def test_more_names_than_can_be_counted(monkeypatch):
    """Lists beyond what the offsets hold are refused with the reason."""
    monkeypatch.setattr("blocklists.build._MOST_BYTES", 100)
    with pytest.raises(ValueError, match="2 GiB of names; use fewer"):
        listed(*(f"n{number}.example" for number in range(20)))


NETWORKS = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "2001:db8::/32", "2001:db8::7/128"]
ADDRESSES = ["10.1.2.3", "10.1.2.4", "10.1.9.9", "10.9.9.9", "192.0.2.1", "2001:db8::7", "2001:db8::8"]
PORTS = [22, 53, 443, 853]
SAID = st.tuples(
    st.sampled_from(NETWORKS), st.integers(0, 7), st.sampled_from(["", "A", "B"]), st.booleans(),
    st.sets(st.sampled_from(PORTS[1:]), max_size=2),
)  # fmt: skip


def expected(rows, address, port):
    """Label set of an address and port, worked out network by network from the widest."""
    mask, service, away, listed = 0, "", 0, False
    for network in NETWORKS:
        if ipaddress.ip_address(address) not in ipaddress.ip_network(network):
            continue
        said = [row for row in rows if row[0] == network and (not row[4] or port in row[4])]
        listed = listed or bool(said)
        own, named = 0, ""
        for _, row_mask, row_service, exception, _ in said:
            if exception:
                away |= row_mask
            else:
                own |= row_mask
                named = named or row_service
        mask, service = (own & ~away) or (mask & ~away), named or service
    return LabelSet(mask, service) if listed else None


@settings(deadline=None)
@given(st.lists(SAID, max_size=8))
def test_addresses_and_ports_agree_with_a_plain_search(rows):
    """For every address and port the longest network that a list names for it decides, less exceptions."""
    builder = Builder()
    for number, (network, mask, service, exception, ports) in enumerate(rows):
        made = SOURCE._replace(name=f"list{number}", ports=tuple(sorted(ports)))
        said = builder.statement(Statement(mask, service, builder.source(made), exception))
        builder.add_network(ipaddress.ip_network(network), number + 1, said)
    matcher = builder.build()
    packed = [address_bytes(address) for address in ADDRESSES for _ in PORTS]
    found = matcher.address_set_ids(pa.array(packed, pa.binary(16)), np.array(PORTS * len(ADDRESSES)))
    told = [matcher.sets[number] if number >= 0 else None for number in found.tolist()]
    assert told == [expected(rows, address, port) for address in ADDRESSES for port in PORTS]
    for address in ADDRESSES:
        around = {line for line, row in enumerate(rows, 1)
                  if ipaddress.ip_address(address) in ipaddress.ip_network(row[0])}  # fmt: skip
        assert {origin.line for origin in matcher.lookup(address).origins} == around
