"""The listings of `tables.toml`: their columns, and the query parameters that follow from them."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from pipeline.records import RECORDS

_FILE = Path(__file__).parent / "tables.toml"

Kind = Literal[
    "time",
    "address",
    "mac",
    "text",
    "name",
    "label",
    "number",
    "share",
    "truth",
    "texts",
    "names",
    "addresses",
    "map",
]

_JSON_TYPES: dict[str, Any] = {
    "time": str, "address": str, "mac": str, "text": str, "name": str, "label": str, "number": int,
    "share": float,
    "truth": bool, "texts": list[str], "names": list[str], "addresses": list[str], "map": dict[str, float],
}  # fmt: skip
_FORMS = {
    "address": "address or prefix",
    "mac": "aa:bb:cc:dd:ee:ff",
    "text": "word",
    "name": "name, or *.name for all below it",
    "number": "number, >=n, <=n, >n, <n, a..b, or unknown",
    "truth": "true or false",
    "texts": "word the list holds",
}

#: Values of one query parameter at most.
MOST_VALUES = 50


class Column(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    unit: str = ""
    host: bool = False
    category: bool = False
    name: bool = False
    filter: bool = True
    words: tuple[str, ...] = ()

    @property
    def tells_name(self) -> bool:
        return self.name or self.kind in ("name", "names")


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    source: str = Field(alias="from")
    time: str
    until: str = ""
    """Column of the end, for rows that span a time: a range takes rows that overlap it."""
    tie: tuple[str, ...]
    address: str = ""
    """Column of the host that a row is about: its device is told as of the row's time."""
    columns: dict[str, Column]

    @property
    def shown(self) -> dict[str, Column]:
        """Columns of a row as it is answered."""
        return self.columns | (DEVICE_COLUMNS if self.address else {})


#: What is told of the device behind an address, as of the time of the row.
DEVICE_COLUMNS = {
    "device": Column(kind="mac", unit="the device that had the address then", host=True, filter=False),
    "device_name": Column(kind="label", unit="its name then", host=True, filter=False),
    "devices": Column(kind="number", unit="devices bound to the address then", host=True, filter=False),
}


def _load() -> dict[str, Table]:
    tables = tomllib.loads(_FILE.read_text("utf-8"))
    for name, table in tables.items():
        words = {field.name: field.words for field in RECORDS.get(name, [])}
        for column, spec in table["columns"].items():
            if words.get(column):
                spec["words"] = words[column]
    return {name: Table.model_validate(table) for name, table in tables.items()}


TABLES = _load()


class RangeQuery(BaseModel):
    """Parameters that every question over a time takes."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: Annotated[
        str | None,
        Field(alias="from", description="RFC 3339 time with offset, or -15m, -1h, -7d", max_length=64),
    ] = None
    to: Annotated[str | None, Field(description="the same; not part of the range", max_length=64)] = None
    case: Annotated[
        str | None,
        Field(description="reference of the open case, which is logged", min_length=1, max_length=100),
    ] = None


class PageQuery(RangeQuery):
    """Parameters of a listing."""

    limit: Annotated[
        int, Field(ge=1, le=100_000, description="rows; at most 1000 as JSON, 100000 as CSV")
    ] = 100
    cursor: Annotated[str | None, Field(description="`next` of the page before", max_length=1_000)] = None


def filter_columns(table: Table) -> dict[str, Column]:
    return {name: column for name, column in table.columns.items() if column.filter}


def query_model(name: str, base: type[RangeQuery], columns: dict[str, Column]) -> Any:
    """Class of the query parameters: those of `base`, and one for each column that filters."""
    fields: dict[str, Any] = {}
    for column, spec in columns.items():
        note = _FORMS[spec.kind] + (f": {', '.join(filter(None, spec.words))}" if spec.words else "")
        fields[column] = (
            Annotated[
                list[Annotated[str, Field(max_length=255)]],
                Field(max_length=MOST_VALUES, description=f"{note}; `!` before it means not"),
            ],
            [],
        )
    return create_model(name, __base__=base, **fields)


def row_model(name: str, columns: dict[str, Column]) -> type[BaseModel]:
    """Model of one row as JSON, for the schema of the interface."""
    fields: dict[str, Any] = {}
    for column, spec in columns.items():
        fields[column] = (
            Annotated[_JSON_TYPES[spec.kind] | None, Field(description=spec.unit or spec.kind)],
            None,
        )
    fields["withheld"] = (Annotated[bool | None, Field(description="names of this row are not shown")], None)
    return create_model(name, **fields)


def page_model(name: str, row: type[BaseModel]) -> type[BaseModel]:
    """Model of one page of rows."""
    fields: dict[str, Any] = {
        "from_": (Annotated[str, Field(alias="from")], ...),
        "to": (str, ...),
        "note": (str, ""),
        "next": (str | None, None),
        "rows": (list[row], ...),  # type: ignore[valid-type]
    }
    return create_model(name, __config__=ConfigDict(populate_by_name=True), **fields)
