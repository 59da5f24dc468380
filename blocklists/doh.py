"""Lists of encrypted-DNS servers: names, addresses, URLs, and the tables that pages show them in."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from blocklists.entries import Entry, Problem, Said, Skipped, judged, text_lines
from blocklists.names import shown

#: A URL and its host (RFC 3986, 3.2.2), as far as a list of servers needs it.
_URL = re.compile(r"(?:https|h3|quic|tls)://(?:[^\s/@|]*@)?(\[[0-9a-fA-F:.]+\]|[^\s/|<>()\[\]{}:?#\"'`]+)")
_RULER = re.compile(r"[-:|\s]+")


class _Page:
    """Which column of a table holds the URLs."""

    def __init__(self) -> None:
        self.column = -1

    def line(self, text: str) -> Iterator[Said]:
        """What a line says. Raises ValueError and Skipped."""
        if text.startswith("|"):
            yield from self._row([cell.strip() for cell in text.strip("|").split("|")])
            return
        self.column = -1
        text = re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()
        if not text:
            return
        if text.lower().startswith("sdns://"):
            raise Skipped("a DNS stamp")
        first = text.split()[0].rstrip(",;")
        found = _URL.match(first)
        if "://" in first and not found:
            raise ValueError(f"{shown(first)} is no address of an encrypted-DNS server")
        yield Said(found[1] if found else first)

    def _row(self, cells: list[str]) -> Iterator[Said]:
        if _RULER.fullmatch("|".join(cells) or "-"):
            return
        heads = [i for i, cell in enumerate(cells) if "url" in cell.lower() and "://" not in cell]
        if heads:
            self.column = heads[0]
            return
        if self.column < 0:
            raise Skipped("a table without a column of URLs")
        hosts = _URL.findall(cells[self.column]) if self.column < len(cells) else []
        if not hosts:
            raise Skipped("a row without a URL")
        for host in dict.fromkeys(hosts):
            yield Said(host)


def read_doh(stream: BinaryIO) -> Iterator[Entry | Problem]:
    """A name, an address or a URL a line, of which the host counts; or tables in Markdown, of which the
    column headed "URL" counts: the others name who runs the server."""
    page = _Page()
    for item in text_lines(stream):
        if isinstance(item, Problem):
            yield item
        elif item[1]:
            yield from judged(*item, page.line)
        else:
            page.column = -1
