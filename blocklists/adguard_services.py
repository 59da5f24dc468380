"""AdGuard's services: JSON in which each service carries the Adblock rules for its names."""

import json
import json.scanner
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from blocklists.adblock import adblock_rule
from blocklists.entries import Entry, Problem, judged

#: Bytes of the file; the published one, icons and all, has about one million. Our default.
MAX_BYTES = 64 << 20


class _Placed(str):
    """A string and where it stands in the file."""

    __slots__ = ("at",)
    at: int


class _Decoder(json.JSONDecoder):
    """Strings remember their place: a rule is reported with the line it stands on."""

    def __init__(self) -> None:
        super().__init__()
        scan = self.parse_string

        def placed(text: str, end: int, strict: bool = True) -> tuple[str, int]:
            value, after = scan(text, end, strict)
            value = _Placed(value)
            value.at = end
            return value, after

        self.parse_string: Callable[..., tuple[str, int]] = placed
        self.scan_once = json.scanner.py_make_scanner(self)  # type: ignore[attr-defined]


def _services(document: Any) -> list[Any]:
    """The services of either form: a list, or an object that holds it. Raises ValueError."""
    if isinstance(document, dict):
        document = document.get("blocked_services") or document.get("services")
    if not isinstance(document, list):
        raise ValueError("it holds no list of services")
    return document


def _read(text: str) -> list[Any]:
    """The services of the text. Raises ValueError."""
    try:
        document, end = _Decoder().raw_decode(text, len(text) - len(text.lstrip()))
    except RecursionError:
        raise ValueError("too many brackets inside each other") from None
    if text[end:].strip():
        raise ValueError(f"more text behind the end, at character {end + 1}")
    return _services(document)


def read_services(stream: BinaryIO) -> Iterator[Entry | Problem]:
    """Each rule of each service, with the service's id as category and its name as service."""
    raw = stream.read(MAX_BYTES + 1)
    mend = "give AdGuard's services.json"
    if len(raw) > MAX_BYTES:
        yield Problem(1, "refused", f"longer than {MAX_BYTES:,} bytes", mend)
        return
    try:
        text = raw.decode("utf-8-sig")
        services = _read(text)
    except UnicodeDecodeError:
        yield Problem(1, "refused", "not UTF-8 text", mend)
        return
    except ValueError as error:
        yield Problem(getattr(error, "lineno", 1), "refused", f"no services in JSON: {error}", mend)
        return
    breaks = [i for i, c in enumerate(text) if c == "\n"]
    line = 1
    for service in services:
        fields = service if isinstance(service, dict) else {}
        identity, rules = fields.get("id"), fields.get("rules")
        if not isinstance(identity, str) or not isinstance(rules, list):
            yield Problem(line, "refused", "a service without id or rules", mend)
            continue
        title = fields.get("name")
        title = str(title) if isinstance(title, str) else ""
        for rule in rules:
            if not isinstance(rule, _Placed):
                yield Problem(line, "refused", f"a rule of {identity} that is no text", mend)
                continue
            line = bisect_right(breaks, rule.at - 1) + 1
            if not rule.strip():
                continue
            for item in judged(line, rule.strip(), adblock_rule):
                if isinstance(item, Entry):
                    item = item._replace(categories=(str(identity),), service=title)
                yield item
