"""Checksums that publishers put beside their lists: they catch a broken download, not a forged one."""

import hashlib
import re
import threading
from pathlib import Path

from blocklists.fetch import Client
from blocklists.sources import shown

#: Algorithms by hex digits of their sums (md5sum(1), sha1sum(1), sha256sum(1), sha512sum(1)).
ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
_SUM = r"[0-9A-Fa-f]{32,128}"
_PLAIN = re.compile(rf"({_SUM})(?:\s+[ *]?(\S.*))?")
_TAGGED = re.compile(rf"\S+ \((.+)\) = ({_SUM})")


def published(text: str, name: str) -> str:
    """The sum that a file of checksums gives for a file name, or its only one without a name; empty none."""
    for line in text.splitlines():
        line = line.strip()
        if found := _TAGGED.fullmatch(line):
            called, value = found[1], found[2]
        elif found := _PLAIN.fullmatch(line):
            value, called = found[1], found[2] or ""
        else:
            continue
        if len(value) in ALGORITHMS and (not called or called.replace("\\", "/").rpartition("/")[2] == name):
            return value.lower()
    return ""


class Checksums:
    """Files of checksums, each fetched once. Methods may be called from any thread."""

    def __init__(self, client: Client, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._lock = threading.Lock()
        self._texts: dict[str, str] = {}

    def verify(self, path: Path, url: str, name: str) -> None:
        """Compares a file with what the checksums at `url` say of `name`.

        Raises ValueError where it differs or is not told, OSError where the checksums can't be had.
        """
        with self._lock:
            if url not in self._texts:
                self._texts[url] = self._client.text(url, self._folder / "checksums.part")
            wanted = published(self._texts[url], name)
        if not wanted:
            raise ValueError(f"{shown(url)}: no checksum of {name}; mend or remove `checksum`")
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, ALGORITHMS[len(wanted)]).hexdigest()
        if found != wanted:
            raise ValueError(
                f"the checksum is {found[:16]}…, {shown(url)} says {wanted[:16]}…; try again later"
            )
