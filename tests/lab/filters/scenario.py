"""The contract of a scenario: a filter on the box between clients and internet, and what clients try.

A scenario says how its filter starts, which visits it stops, and which facts a policy would declare about
it. The lab plays it once (`play.py`), with both taps recorded, and notes what each client itself got; the
verdicts are made from the recordings later (`judge.py`), without the scenario's help.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.lab.filters.topology import FilterLab

Protocol = Literal["dns", "http", "tls12", "tls13", "quic"]
Got = Literal["page", "block_page", "address", "connection", "nothing"]
Truth = Literal["blocked", "delivered", "connected", "failed", "resolved"]

STOPPED = "chatter.example"
"""Names below are social media: what a filter of the lab is meant to stop, unless it says otherwise."""
SITES = (STOPPED, "gossip.example", "clips.example", "photos.example", "parley.example")
"""The same of several companies, each with a domain and servers in a network of its own."""
WANTED = "market.example"
"""Names below are shopping: allowed, and listed, so that they make attempts, too."""
SHOPS = (WANTED, "tickets.example", "flowers.example", "garments.example")
"""The same of several companies."""
PLAIN = "weather.example"
"""Names below are on no list: the ordinary traffic beside the attempts."""
ZONES = {**dict.fromkeys(SITES, "social_media"), **dict.fromkeys(SHOPS, "shopping"), PLAIN: ""}
"""Every name of the lab's internet is below one of these; the category its list gives it."""

PAGE_MARK = "The page itself."
"""In every page of the lab's internet, whatever its size, or in its header `X-Lab`, and nowhere else."""
BLOCK_MARK = "This page is blocked."
"""In every block page of the lab, or in its header `X-Lab`, and nowhere else."""


@dataclass(frozen=True)
class Cell:
    """One way to make a visit: by which program, from which clients, over what."""

    program: str
    """A word of `clients.PROGRAMS`."""
    stack: Literal["4", "6", "46"]
    """Which clients (`topology.Client.stack`)."""
    protocol: Protocol

    @property
    def label(self) -> str:
        """First label of its names, so that cells of a scenario never share a name."""
        return f"{self.program[0]}{self.protocol}v{self.stack}"


CURL_CELLS = tuple(Cell("curl", s, p) for s in ("4", "6") for p in ("tls12", "tls13"))


@dataclass(frozen=True)
class Visit:
    """One client's attempt to reach one name, by one program."""

    client: str
    """Name of a `topology.Client`."""
    name: str
    cell: Cell

    @property
    def zone(self) -> str:
        """The zone of ZONES that the name is in."""
        return self.name.split(".", 1)[1]


@dataclass(frozen=True)
class Outcome:
    """What the client itself got, by its own exit code and what it received."""

    visit: Visit
    got: Got
    """`page` and `block_page` by their marks in what was received; `address`: dig was given one that is
    no sinkhole; `connection`: curl's TLS connection stood, and no page came; `nothing` otherwise."""
    start: float
    end: float
    """Seconds since 1970."""
    exit: int
    size: int
    """Bytes of the body; 0 for dig."""
    note: str = ""
    """The program's own last words."""


def meant_for_zone(visit: Visit) -> bool:
    """Every name of SITES, and no other."""
    return visit.zone in SITES


def nobody(visit: Visit) -> bool:
    """No name at all: where there is no filter, or only an outage."""
    del visit
    return False


@dataclass(frozen=True)
class Scenario:
    """A filter (or its absence, or a failure that is none) and what is tried behind it."""

    key: str
    """`dns_…` or `web_…`: for command lines, folders and tables."""
    title: str
    """One line for the table, as `unbound, response policy zone: NXDOMAIN`."""
    start: Callable[[FilterLab], None]
    """Starts all that stands on the filter box, the clients' resolver included (`resolver.forwarding` where
    the filter is no resolver), and returns when it answers. The internet's servers run already. Programs are
    started with `lab.start`, so that they end with the lab; the box is the host `topology.FILTER`."""
    stops: Callable[[Visit], bool] = meant_for_zone
    """Whether the filter is meant to act on this visit: nothing received then is a block, else a failure."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The policy's table `[filter]`, where the organisation declares it."""
    cells: Sequence[Cell] = CURL_CELLS
    zones: Sequence[str] = (STOPPED, WANTED)
    """Zones that each cell visits. Names of PLAIN are fetched beside them in any case."""
    options: Callable[[Visit], Sequence[str]] = lambda visit: ()
    """More arguments for the visit's program (a proxy, `--resolve`, another resolver)."""
    path: str = "/"
    """What is asked of the web server: `/` 40 kB, or `/small` 600 bytes."""
    addresses: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names or zones that the internet's DNS answers with these addresses instead of the web servers', which
    the internet's namespace is given."""
    servers: Callable[[FilterLab], None] | None = None
    """Starts servers of its own in the namespace `internet`, beside the web servers."""
    midway: Callable[[FilterLab], None] | None = None
    """Called when half of the visits were made: what changes then (a server dies, a filter fails open)."""
    stops_midway: Callable[[Visit], bool] | None = None
    """`stops` after `midway`; None: the same."""
    names: int = 8
    """Names of each cell and zone; each is visited by all clients of the cell's stack."""
    pace_s: float = 0.3
    """Seconds between the starts of two visits of one client."""
    timeout_s: float = 9
    """A client gives up after this. Three retransmissions of a ClientHello take about 7 s."""
    days: int = 1
    """Days that the filter has stood and the same was tried; those before are its history."""
    needs: Sequence[str] = ()
    """Programs beyond the lab's own (`tests.lab.servers.PROGRAMS`)."""

    def why_not(self) -> str:
        """Empty where it can be played, else the missing programs in one line."""
        missing = [name for name in self.needs if shutil.which(name) is None]
        return f"{self.key} needs {', '.join(missing)}" if missing else ""


def truth(outcome: Outcome, stopped: bool) -> Truth:
    """What is true of a visit that the filter was meant to stop, or not."""
    if outcome.got == "page":
        return "delivered"
    if outcome.got == "address":
        return "resolved"
    if outcome.got == "connection" and not stopped:
        return "connected"
    return "blocked" if stopped or outcome.got == "block_page" else "failed"
