"""Where each key of a TOML text stands, so that an error about a value can name its line."""

import re

_HEADER = re.compile(r"\s*(\[\[|\[)\s*([^\[\]]+?)\s*(\]\]|\])\s*(?:#.*)?$")
_KEY = re.compile(
    r"\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*="
)
_PART = re.compile(r"[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'")
#: Longest line that is looked at for a table header.
_HEADER_MOST = 1_000
#: Parts of a dotted key, past which a text is hostile: each costs more than the one before.
_PARTS_MOST = 256
#: Strings, comments, and what stands between them; a string that doesn't end goes to the end of its line.
_OUTSIDE = re.compile(r"\"(?:[^\"\\\n]|\\[^\n])*\"?|'[^'\n]*'?|#[^\n]*|[.\n]")
#: What can change the nesting: comments, the four kinds of string, brackets.
_TOKEN = re.compile(
    r"#.*|\"\"\"|'''|\"(?:[^\"\\]|\\.)*\"|'[^']*'|[\[\]{}]",
)

Path = tuple[str | int, ...]


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(dotted)]


def crowded_line(text: str) -> int:
    """First line with more dots outside strings than a key needs, which a parser takes ages for; 0 none."""
    line, dots = 1, 0
    for found in _OUTSIDE.finditer(text):
        word = found.group()
        if word == "\n":
            line, dots = line + 1, 0
        elif word == ".":
            dots += 1
            if dots > _PARTS_MOST:
                return line
    return 0


class _Nesting:
    """Brackets and long strings that are open after a line."""

    def __init__(self) -> None:
        self.depth = 0
        self.quote = ""

    def feed(self, text: str) -> None:
        at = 0
        while at < len(text):
            if self.quote:
                end = text.find(self.quote, at)
                if end < 0:
                    return
                at = end + 3
                self.quote = ""
                continue
            token = _TOKEN.search(text, at)
            if token is None:
                return
            word = token.group()
            at = token.end()
            if word in ('"""', "'''"):
                self.quote = word
            elif word in "[{":
                self.depth += 1
            elif word in "]}":
                self.depth -= 1


def key_lines(text: str) -> dict[Path, int]:
    """Line number (from 1) of each table header and key of a valid text, by its path.

    Elements of arrays of tables carry their index: `("sites", 0, "subnets")`. Keys inside inline
    values are not listed; ask `line_of`, which falls back to the nearest key that is.
    """
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    nesting = _Nesting()

    def resolve(parts: list[str]) -> Path:
        path: Path = ()
        for part in parts:
            path = (*path, part)
            if path in counts:
                path = (*path, counts[path] - 1)
        return path

    for number, line in enumerate(text.split("\n"), 1):
        if nesting.depth > 0 or nesting.quote:
            nesting.feed(line)
            continue
        if len(line) <= _HEADER_MOST and (header := _HEADER.match(line)):
            parts = _parts(header.group(2))
            if header.group(1) == "[[":
                array = (*resolve(parts[:-1]), *parts[-1:])
                counts[array] = counts.get(array, 0) + 1
                table = (*array, counts[array] - 1)
                lines.setdefault(array, number)
            else:
                table = resolve(parts)
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            path = table
            for part in _parts(key.group(1)):
                path = (*path, part)
                lines.setdefault(path, number)
            nesting.feed(line[key.end() :])
    return lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """Line of the key, or of the nearest table or key around it; 1 if there is none."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1
