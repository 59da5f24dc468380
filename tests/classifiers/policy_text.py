"""A small good policy as text, and files of it."""

from pathlib import Path

BASE = """organisation = "Test district"

[clauses]
A1 = "No games"
C1 = "Nothing obscene"

[[sites]]
id = "north"
subnets = ["10.0.0.0/8"]
time_zone = "America/Los_Angeles"

[sites.calendar]
duty = [{ days = ["mon-fri"], from = "08:00", to = "15:00" }]

[[groups]]
id = "students"
minor = true
subnets = ["10.20.0.0/16"]
vlans = [20]

[[groups]]
id = "staff"
subnets = ["10.30.0.0/16"]

[[rules]]
categories = ["adult", "abuse"]
action = "prohibit"
clause = "C1"

[[rules]]
categories = ["games"]
groups = ["students"]
action = "prohibit"
clause = "A1"
"""


def written(folder: Path, text: str, name: str = "policy.toml") -> Path:
    """A file of the text."""
    path = folder / name
    path.write_text(text, "utf-8")
    return path
