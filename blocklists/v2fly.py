"""v2fly's domain-list-community: a folder `data` of lists that include each other.

Syntax (the project's README): `domain:name` or a bare name stands for it and everything below, `full:name`
for the name alone, `keyword:` and `regexp:` for parts of names; `include:list` takes in another list,
`@attribute` behind a rule labels it, behind an include picks rules that have it, `@-attribute` those that
have not; `&list` adds a rule to another list as well.
"""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from blocklists.archives import is_archive, members
from blocklists.entries import BrokenListError, Entry, Problem, Said, Skipped, judged, text_lines
from blocklists.names import shown
from blocklists.packed import opened

#: Bytes of all lists together; those published have three million. Our default.
MAX_BYTES = 64 << 20
#: Rules looked at while includes are followed, over all lists: includes multiply. Our default.
MAX_RULES = 5_000_000

_PARTS = ("keyword", "regexp", "regex")

Attributes = frozenset[str]


class _Rule(NamedTuple):
    kind: str
    value: str
    attributes: Attributes
    banned: Attributes
    """Of an include: attributes that its rules must not have."""
    also: tuple[str, ...]
    """Lists it belongs to besides its own."""
    member: str
    line: int


class _Wanted(NamedTuple):
    """A list, and which of its rules."""

    name: str
    attributes: Attributes
    banned: Attributes


def _rule(text: str, member: str, line: int) -> _Rule:
    """The rule of a line without its comment. Raises ValueError."""
    head, *behind = text.split()
    kind, colon, value = head.partition(":")
    if not colon:
        kind, value = "domain", head
    kind = kind.lower()
    if kind not in ("domain", "full", "include", *_PARTS):
        raise ValueError(f"unknown kind of rule {shown(kind)}")
    attributes, banned, also = set(), set(), []
    for word in behind:
        if word.startswith("@-") and len(word) > 2 and kind == "include":
            banned.add(word[2:].lower())
        elif word.startswith("@") and len(word) > 1:
            attributes.add(word[1:].lower())
        elif word.startswith("&") and len(word) > 1:
            also.append(word[1:].lower())
        else:
            raise ValueError(f"{shown(word)} is neither an @attribute nor an &affiliation")
    return _Rule(kind, value, frozenset(attributes), frozenset(banned), tuple(also), member, line)


class _Library:
    """All lists of a tree by name."""

    def __init__(self) -> None:
        self.rules: dict[str, list[_Rule]] = {}
        self.problems: dict[str, list[Problem]] = {}
        self._told: set[tuple[str, int]] = set()
        self._looked_at = 0

    def add(self, name: str, member: str, lines: Iterator[tuple[int, str] | Problem]) -> None:
        """Takes in one list."""
        rules = self.rules.setdefault(name, [])
        problems = self.problems.setdefault(name, [])
        for item in lines:
            if isinstance(item, Problem):
                problems.append(item._replace(member=member))
                continue
            number, text = item
            text = text.partition("#")[0].strip()
            if not text:
                continue
            try:
                rule = _rule(text, member, number)
            except ValueError as error:
                problems.append(Problem(number, "refused", str(error), "mend or remove the line", member))
                continue
            rules.append(rule)
            for other in rule.also:
                self.rules.setdefault(other, []).append(rule)

    def expand(self, label: str, attributes: Attributes) -> Iterator[Entry | Problem]:
        """What a list stands for, its includes followed. Raises BrokenListError where they have no end."""
        first = _Wanted(label, attributes, frozenset())
        seen = {first}
        path = [(first, iter(self.rules.get(label, ())))]
        yield from self._problems_of(label)
        while path:
            wanted, rules = path[-1]
            rule = next(rules, None)
            if rule is None:
                path.pop()
                continue
            self._looked_at += 1
            if self._looked_at > MAX_RULES:
                what = f"includes that lead to more than {MAX_RULES:,} rules"
                raise BrokenListError(what, "ask for a part of it", rule.member, rule.line)
            if rule.kind != "include":
                if wanted.attributes <= rule.attributes and not wanted.banned & rule.attributes:
                    yield from self._entries(rule, label)
                continue
            name = rule.value.lower()
            following = _Wanted(name, wanted.attributes | rule.attributes, wanted.banned | rule.banned)
            if any(name == above.name for above, _ in path):
                yield from self._once(rule, f"an include that leads back to {name!r}")
            elif name not in self.rules:
                yield from self._once(rule, f"the list {shown(name)} is not here")
            elif following not in seen:
                seen.add(following)
                yield from self._problems_of(name)
                path.append((following, iter(self.rules[name])))

    def _entries(self, rule: _Rule, label: str) -> Iterator[Entry | Problem]:
        def said(_: str) -> Iterator[Said]:
            if rule.kind in _PARTS:
                raise Skipped(f"a {rule.kind}, about parts of names")
            yield Said(rule.value, False, (label,), exact=rule.kind == "full")

        for item in judged(rule.line, rule.value, said):
            if isinstance(item, Entry) or self._new(rule.member, rule.line):
                yield item._replace(member=rule.member)

    def _problems_of(self, name: str) -> Iterator[Problem]:
        for problem in self.problems.get(name, ()):
            if self._new(problem.member, problem.line):
                yield problem

    def _once(self, rule: _Rule, what: str) -> Iterator[Problem]:
        if self._new(rule.member, rule.line):
            yield Problem(rule.line, "refused", what, "mend or remove the line", rule.member)

    def _new(self, member: str, line: int) -> bool:
        """Whether nothing was said of this line yet: lists are included many times."""
        if (member, line) in self._told:
            return False
        self._told.add((member, line))
        return True


def _lists(path: Path) -> Iterator[tuple[str, str, Iterator[tuple[int, str] | Problem]] | Problem]:
    """Name, member and lines of each list: of the folder `data`, or where there is none of the outermost.

    Raises OSError and BrokenListError.
    """
    whole = 0
    outside = []
    inside = False
    for item in members(path):
        if isinstance(item, Problem):
            yield item
            continue
        file = PurePosixPath(item.name)
        of_data = file.parent.name == "data" or (path.name == "data" and file.parent.name == "")
        if item.stream is None or not (of_data or file.parent.name == ""):
            continue
        lines = []
        for line in text_lines(item.stream):
            whole += 64 + (0 if isinstance(line, Problem) else len(line[1]))
            if whole > MAX_BYTES:
                raise BrokenListError(
                    f"lists of more than {MAX_BYTES >> 20} MiB", "give v2fly's folder `data`"
                )
            lines.append(line)
        if of_data:
            inside = True
            yield file.name, item.name, iter(lines)
        else:
            outside.append((file.name, item.name, iter(lines)))
    if not inside:
        yield from outside


def read_tree(path: Path, part: str, wanted: Callable[[str], Problem | None]) -> Iterator[Entry | Problem]:
    """All lists that are `wanted`, or one: `part` is its name, `name@attribute` some of its rules.

    `path` is a folder or an archive; or the file of one list, whose includes stand beside it. Every rule
    carries the list asked for as category, and the file and line it stands on.

    Raises OSError and BrokenListError.
    """
    if path.is_file():
        with opened(path) as stream:
            alone = not is_archive(stream)
        if alone:
            if part:
                raise BrokenListError(f"no archive, so no part {part!r}", "remove `part`")
            path, part = path.parent, path.name
    library = _Library()
    for found in _lists(path):
        if isinstance(found, Problem):
            yield found
        else:
            library.add(found[0].lower(), found[1], found[2])
    if part:
        name, *attributes = part.lower().split("@")
        if name not in library.rules:
            raise BrokenListError(f"no list {name!r} in it", "give another part or file")
        unwanted = wanted(part)
        if unwanted is not None:
            yield unwanted
            return
        for item in library.expand(name, frozenset(attributes)):
            yield item._replace(categories=(part,)) if isinstance(item, Entry) else item
        return
    if not library.rules:
        raise BrokenListError("no list in it", "give v2fly's folder `data`, or an archive of it")
    others: dict[str, list[str]] = {}
    for name in sorted(library.rules):
        unwanted = wanted(name)
        if unwanted is None:
            yield from library.expand(name, frozenset())
        else:
            others.setdefault(unwanted.kind, []).append(name)
    for kind, names in others.items():
        what = f"{len(names):,} lists that stand for none of our categories, as {', '.join(names[:5])}"
        if kind == "unmapped":
            what = f"{len(names):,} lists that the mapping does not know, as {', '.join(names[:5])}"
        yield Problem(0, kind, what, "name one with `part` and give it `categories`", lines=len(names))
