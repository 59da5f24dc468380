"""The listings' data file, held against the tables themselves."""

import pytest

from api.tables import TABLES, filter_columns
from tests.api.conftest import Running

PERSONAL = {"client", "client_mac", "server_mac", "subject", "samples"}


@pytest.mark.parametrize("name", TABLES)
def test_columns_exist(empty: Running, name: str) -> None:
    """Every column and tie-breaker named is a column of its table."""
    table = TABLES[name]
    found = {row["name"] for row in empty.store.rows(f"DESCRIBE TABLE {table.source.removesuffix(' FINAL')}")}
    assert set(table.columns) | set(table.tie) | {table.time} <= found


@pytest.mark.parametrize("name", ["flows", "dns", "attempts", "findings", "traffic"])
def test_persons_and_categories_are_marked(name: str) -> None:
    """What tells of a person or of categories is marked so, in every listing."""
    for column, spec in TABLES[name].columns.items():
        assert spec.host == (column in PERSONAL | {"statement"}), column
        if column in (
            "categories",
            "category",
            "action",
            "verdict",
            "mechanism",
            "evidence",
            "corroborators",
        ):
            assert spec.category, column
        if column in (
            "server_name",
            "qname",
            "name",
            "service",
            "http_location",
            "answers",
            "certificate",
            "issuer",
        ):
            assert spec.tells_name, column


def test_filters_do_not_take_the_words_of_the_range() -> None:
    """No column that filters is called like a parameter of every question."""
    for table in TABLES.values():
        assert not {"from", "to", "limit", "cursor", "case"} & set(filter_columns(table))
