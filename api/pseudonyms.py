"""Keyed pseudonyms: the same device is recognised within a school year, and nothing leads back to it."""

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime

from pipeline.records import address_bytes, address_text

_ADDRESS = re.compile(
    r"(?<![\w.])(?:(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)|(?<!:)(?=[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:)[0-9a-fA-F:.]{2,45}(?![\w:]))"
)
_MAC = re.compile(r"(?<![\w:-])[0-9a-fA-F]{2}(?:([:-])[0-9a-fA-F]{2})(?:\1[0-9a-fA-F]{2}){4}(?![\w:-])")


def school_year(us: int) -> int:
    """Year in which the school year of this moment began, 1 July (California Education Code 37200)."""
    moment = datetime.fromtimestamp(us / 1e6, UTC)
    return moment.year - (moment.month < 7)


class Pseudonyms:
    """HMAC-SHA256 (RFC 2104) over school year, site and device, cut to 60 bits."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _word(self, letter: str, *parts: str) -> str:
        digest = hmac.new(self._key, "\0".join((letter, *parts)).encode(), hashlib.sha256).digest()
        return f"{letter}-{base64.b32encode(digest[:10]).decode().lower()[:12]}"

    def host(self, site: str, address: str, us: int) -> str:
        """Pseudonym `h-…` of a host, which is (site, address), at that moment."""
        return self._word("h", str(school_year(us)), site, address)

    def device(self, mac: str, us: int) -> str:
        """Pseudonym `d-…` of a MAC at that moment."""
        return self._word("d", str(school_year(us)), mac.lower().replace("-", ":"))

    def person(self, user: str, us: int) -> str:
        """Pseudonym `u-…` of a user at that moment; a realm or domain makes no other person."""
        bare = user.lower().rpartition("\\")[2].partition("@")[0]
        return self._word("u", str(school_year(us)), bare)

    def scrub(self, text: str, site: str, us: int) -> str:
        """The text with every address and MAC replaced by its pseudonym."""

        def host(match: re.Match[str]) -> str:
            raw = match.group().rstrip(".")
            try:
                address = address_text(address_bytes(raw))
            except ValueError:
                return match.group()
            return self.host(site, address, us) + match.group()[len(raw) :]

        return _ADDRESS.sub(host, _MAC.sub(lambda match: self.device(match.group(), us), text))
