"""Which lists a folder uses: its `sources.toml`, and the catalogue of published lists it may choose from."""

import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from blocklists import mappings, taxonomy
from blocklists.reading import NAMES

SOURCES = "sources.toml"
CATALOGUE = Path(__file__).with_name("catalogue.toml")

#: Part of a list's entries that an update may add and remove before a person has to look. Our default.
HOLD_SHARE = 0.10


class ListError(ValueError):
    """A list, or the table of lists, that can't be used: file, line, what, and how to mend it."""

    def __init__(self, file: Path, line: int, what: str, mend: str) -> None:
        super().__init__(f"{file}:{line}: {what}; {mend}" if line else f"{file}: {what}; {mend}")
        self.file = file
        self.line = line
        self.what = what
        self.mend = mend


def shown(url: str) -> str:
    """The address without the name and password that it may carry."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        # Not shown: where its parts can't be told apart, a password in it can't be left out.
        raise ValueError("no http or https address with a host")
    return url


class ListFile(BaseModel):
    """One `[[lists]]` table of a `sources.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str
    file: str = ""
    """Path below the folder. A list with an address needs none: it is kept as `NAME.list`."""
    format: str = "domains"
    part: str = ""
    """Of a folder or an archive of several lists: the one category, list or file meant; empty all."""
    mapping: str = ""
    """Whose names the list's own categories are (`mappings.tsv`); empty: those of its format, or ours."""
    title: str = ""
    categories: tuple[str, ...] = ()
    """What its names carry; a list that carries them itself needs none."""
    allow: bool = False
    """An allow list: takes every category from its names."""
    ports: tuple[int, ...] = ()
    """Of a list of addresses: server ports it is about; empty all."""
    url: str = ""
    """Where `lists update` fetches it; empty: the file is the user's own."""
    checksum: str = ""
    """Address of a file of checksums (md5sum, sha256sum) that names the list's."""
    hold_share: float | None = Field(None, gt=0)
    """As in `[update]`, for this list alone."""
    licence: str = ""

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}", name):
            raise ValueError(f"{name!r} is no name; use up to 100 letters, digits, - _ . +")
        return name

    @field_validator("format")
    @classmethod
    def _known_format(cls, name: str) -> str:
        if name not in NAMES:
            raise ValueError(f"unknown format {name!r}; use one of {', '.join(NAMES)}")
        return name

    @field_validator("mapping")
    @classmethod
    def _known_mapping(cls, name: str) -> str:
        if name and name not in mappings.sources():
            raise ValueError(f"unknown mapping {name!r}; use one of {', '.join(mappings.sources())}")
        return name

    @field_validator("categories")
    @classmethod
    def _known_categories(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in taxonomy.CATEGORIES:
                raise ValueError(f"unknown category {name!r}; use one of {', '.join(taxonomy.NAMES)}")
        return names

    @field_validator("file")
    @classmethod
    def _inside(cls, file: str) -> str:
        if Path(file).is_absolute() or ".." in Path(file).parts:
            raise ValueError(f"{file!r} leads out of the folder")
        return file

    @field_validator("url", "checksum")
    @classmethod
    def _address(cls, url: str) -> str:
        return url and _web_address(url)

    @model_validator(mode="before")
    @classmethod
    def _kept_as(cls, table: Any) -> Any:
        if isinstance(table, dict) and not table.get("file"):
            if not table.get("url"):
                raise ValueError("neither file nor url; give the file's name, or where to fetch it")
            return {**table, "file": f"{table.get('name')}.list"}
        return table


class UpdateSettings(BaseModel):
    """The `[update]` table of a `sources.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    hold_share: float = Field(HOLD_SHARE, gt=0)
    """An update that adds and removes more than this part of a list's entries is held for a person."""
    list_bytes: int = Field(1 << 30, ge=1)
    """Largest download of one list."""
    connect_s: float = Field(10, gt=0, le=600)
    """Seconds to wait for a connection."""
    silence_s: float = Field(30, gt=0, le=3_600)
    """Seconds without a byte after which a download is given up for now."""
    attempts: int = Field(4, ge=1, le=100)
    """Times a source is tried before it has failed."""


class Sources(BaseModel):
    """A whole `sources.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    use: tuple[str, ...] = ()
    """Lists of the catalogue, by name."""
    update: UpdateSettings = UpdateSettings()
    lists: tuple[ListFile, ...] = ()
    """Own lists, and published ones that the catalogue doesn't know."""


def _read(path: Path) -> Sources:
    try:
        text = path.read_text("utf-8")
        tables = tomllib.loads(text)
    except OSError as error:
        raise ListError(
            path, 0, f"cannot read: {error.strerror}", "write one or set another folder"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ListError(path, 0, f"not TOML: {error}", "mend the line") from None
    try:
        return Sources.model_validate(tables)
    except ValidationError as error:
        first = error.errors()[0]
        what, mend = first["msg"].removeprefix("Value error, "), "mend the table"
        if first["type"] == "extra_forbidden":
            what, mend = "unknown key", "remove or rename it"
        where = [str(part) for part in first["loc"]]
        line = 0
        if first["loc"][:1] == ("lists",) and len(where) > 1:
            number = int(where[1]) + 1
            where[:2] = [f"list {number}"]
            heads = [
                i for i, row in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*lists\s*\]\]", row)
            ]
            line = heads[number - 1] if number <= len(heads) else 0
        raise ListError(path, line, f"{': '.join(where)}: {what}", mend) from None


@cache
def catalogue() -> dict[str, ListFile]:
    """Published lists by name, with address, format, licence and categories."""
    return {listed.name: listed for listed in _read(CATALOGUE).lists}


def read_sources(folder: Path) -> tuple[list[ListFile], UpdateSettings]:
    """The lists a folder's `sources.toml` asks for, those of the catalogue first, and how to update them.

    Raises ListError.
    """
    path = folder / SOURCES
    read = _read(path)
    known = catalogue()
    unknown = [name for name in read.use if name not in known]
    if unknown:
        raise ListError(
            path, 0, f"use: no list {unknown[0]!r} in the catalogue", "see `spanwatch lists known`"
        )
    listed = [*(known[name] for name in dict.fromkeys(read.use)), *read.lists]
    for key in ("name", "file"):
        counted = Counter(getattr(one, key) for one in listed)
        twice = [value for value, count in counted.items() if count > 1]
        if twice and (key == "name" or any(one.url for one in listed if one.file == twice[0])):
            raise ListError(
                path, 0, f"two lists have the {key} {twice[0]!r}", f"give each a {key} of its own"
            )
    return listed, read.update
