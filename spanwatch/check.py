"""What a check of the doctor finds."""

from typing import NamedTuple

OK, WARN, FAIL = "ok", "warn", "fail"


class Check(NamedTuple):
    """What one check found."""

    name: str
    level: str
    text: str
    mend: str = ""


def failed(name: str, error: Exception) -> Check:
    """The failure of an error whose line names the mend behind a semicolon."""
    what, _, mend = " ".join(str(error).split()).partition("; ")
    return Check(name, FAIL, what, mend)
