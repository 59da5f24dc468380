"""Compiling: what several statements about a name, and about those above it, come to."""

import pytest

from blocklists.build import Builder, Statement
from blocklists.matcher import LabelSet, Source

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
