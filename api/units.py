"""Numbers, times and text from the wire as people read them."""

import unicodedata
from datetime import datetime
from zoneinfo import ZoneInfo

#: Powers of a thousand, as links and disks are sold.
_PREFIXES = ("", "k", "M", "G", "T", "P")
#: Unicode categories that don't show, or change how their neighbours show: controls, formats (bidi
#: overrides among them), surrogates, private use, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str) -> str:
    """The text with every character that hides or reorders written out as `\\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"\\u{ord(char):04x}" if unicodedata.category(char) in _UNSEEN and char != "\n" else char
        for char in text
    )


def _scaled(value: float, unit: str) -> str:
    power = 0
    while abs(value) >= 999.95 and power < len(_PREFIXES) - 1:
        value, power = value / 1_000, power + 1
    digits = 0 if power == 0 or abs(value) >= 99.95 else 1
    return f"{value:.{digits}f}\u00a0{_PREFIXES[power]}{unit}"


def size(count: float | None) -> str:
    """Bytes in decimal units: `12.3 MB`; unknown where None."""
    return "unknown" if count is None else _scaled(count, "B")


def rate(bits_per_second: float | None) -> str:
    """`1.2 Mb/s`; unknown where None."""
    return "unknown" if bits_per_second is None else _scaled(bits_per_second, "b/s")


def count(number: float | None) -> str:
    """`12,345`; unknown where None."""
    return "unknown" if number is None else f"{number:,.0f}"


def percent(share: float | None, digits: int = 1) -> str:
    """`12.3 %` of a share from 0 to 1; unknown where None, never rounded to 0 or 100."""
    if share is None:
        return "unknown"
    least = 10**-digits
    value = share * 100
    if 0 < value < least:
        return f"<\u202f{least:g}\u202f%"
    if 100 - least < value < 100:
        return f">\u202f{100 - least:g}\u202f%"
    return f"{value:.{digits}f}\u202f%" if value % 1 else f"{value:.0f}\u202f%"


def _moment(text: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(text).astimezone(zone)


def offset(moment: datetime) -> str:
    """`UTC−08:00` of an aware time."""
    raw = moment.strftime("%z")
    return f"UTC{raw[0].replace('-', '−')}{raw[1:3]}:{raw[3:5]}"


def clock(text: str | None, zone: ZoneInfo) -> str:
    """`2 Mar 2026, 09:00:05` of an RFC 3339 time, in the zone; unknown where None."""
    if text is None:
        return "unknown"
    local = _moment(text, zone)
    return f"{local.day} {local:%b %Y, %H:%M:%S}"


def span_text(first: str, last: str, zone: ZoneInfo) -> str:
    """`2 Mar 2026, 08:10:01 – 09:10:01 (America/Los_Angeles, UTC−08:00)`."""
    a, b = _moment(first, zone), _moment(last, zone)
    end = f"{b:%H:%M:%S}" if a.date() == b.date() else clock(last, zone)
    offsets = dict.fromkeys((offset(a), offset(b)))
    return f"{clock(first, zone)} – {end} ({zone.key}, {', then '.join(offsets)})"


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 05 min`, `2 d 4 h`."""
    if seconds < 120:
        return f"{seconds:.0f}\u00a0s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes}\u00a0min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}\u00a0h {minutes:02d}\u00a0min"
    return f"{hours // 24}\u00a0d {hours % 24}\u00a0h"
