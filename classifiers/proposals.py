"""What a site's first days propose for the policy's lists of approved equipment; a person decides.

Nothing is approved by itself: a proposal is a line to copy into `[approved]`, and what is doubtful comes
commented out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from classifiers.loss import Store, sql_time, utc
from classifiers.policy_model import Policy
from pipeline.records import mac_text
from pipeline.text import printable

_SQL = Path(__file__).with_name("proposals.sql").read_text("utf-8")
# Clocks that were never set say 1970.
_FIRST_SQL = "SELECT site, min(ts) AS first FROM sightings WHERE ts > '1971-01-01' GROUP BY site"
#: How long a site is watched before its lists are proposed. design/detection.md; our default.
LEARNING = timedelta(days=7)
#: Part of the days watched on which what is meant to be there should have been seen. Our default.
USUAL_DAYS = 0.5
#: The lists, in the order of the policy.
KEYS = ("dhcp", "dhcpv6", "routers", "router_macs", "access_points", "switches")
#: Bit of a MAC that says it was made up (IEEE 802, 8.2.2).
_LOCAL = 1 << 41


@dataclass(frozen=True)
class Proposal:
    """A line for a list of `[approved]`."""

    key: str
    """Of `[approved]`."""
    value: str
    site: str
    macs: tuple[str, ...]
    vlans: tuple[int, ...]
    days: int
    """Days on which it was seen, of `watched`."""
    watched: int
    times: int
    """Different statements."""
    peers: int
    """Whom it answered, where that is known."""
    name: str
    first: datetime
    last: datetime
    doubts: tuple[str, ...]
    """Why a person should look twice; empty: nothing stands against it."""


def learning_spans(store: Store) -> dict[str, tuple[datetime, datetime]]:
    """Site → its first seven days by its sightings. Raises what the store raises."""
    return {
        row["site"]: (utc(row["first"]), utc(row["first"]) + LEARNING) for row in store.rows(_FIRST_SQL, {})
    }


def proposals(
    store: Store, policy: Policy, first: datetime | None = None, last: datetime | None = None
) -> list[Proposal]:
    """What acted as equipment and is on no list, over a span, else over the first seven days of each site.

    Raises what the store raises.
    """
    spans: list[tuple[list[str], datetime, datetime]]
    if first is not None and last is not None:
        spans = [([], first, last)]
    else:
        spans = [([site], *span) for site, span in sorted(learning_spans(store).items())]
    found: list[Proposal] = []
    for sites, start, end in spans:
        rows = store.rows(
            _SQL,
            {
                "from": sql_time(start),
                "to": sql_time(end),
                "sites": sites,
                "ssids": list(policy.approved.ssids),
            },
        )
        found += [_proposal(row, policy) for row in rows]
    listed = {key: {str(value) for value in getattr(policy.approved, key)} for key in KEYS}
    return [one for one in found if one.value not in listed[one.key]]


def _proposal(row: dict[str, Any], policy: Policy) -> Proposal:
    value = str(row["value"]).removeprefix("::ffff:")
    if row["key"] in ("dhcp", "dhcpv6", "routers"):
        value = str(ip_address(value))
    return Proposal(
        key=str(row["key"]),
        value=value,
        site=str(row["site"]),
        macs=tuple(mac_text(mac) for mac in row["macs"]),
        vlans=tuple(row["vlans"]),
        days=int(row["days"]),
        watched=int(row["watched"]),
        times=int(row["times"]),
        peers=int(row["peers"]),
        name=printable(str(row["name"]))[:60],
        first=utc(row["first"]),
        last=utc(row["last"]),
        doubts=tuple(_doubts(row, value, policy)),
    )


def _doubts(row: dict[str, Any], value: str, policy: Policy) -> Iterator[str]:
    if row["watched"] < 2:
        yield "one day was watched"
    elif row["days"] < USUAL_DAYS * row["watched"]:
        yield f"seen on {row['days']} of {row['watched']} days"
    if row["key"] in ("dhcp", "routers") and "." in value:
        address = ip_address(value)
        inside = [net for site in policy.sites for net in site.subnets if net.version == address.version]
        if inside and not any(address in net for net in inside):
            yield "outside the sites' subnets"
    if len(row["macs"]) > 1 and row["key"] in ("dhcpv6", "routers"):
        yield f"{len(row['macs'])} MACs or more speak with this address"
    if any(int(mac) & _LOCAL for mac in row["macs"]) and row["key"] in ("router_macs", "switches"):
        yield "the MAC is locally administered"


def _line(one: Proposal) -> str:
    vlans = ", ".join(str(vlan) for vlan in one.vlans if vlan)
    facts = [f"site {one.site or '(none)'}"]
    facts += [f"VLAN {vlans}"] if vlans else []
    facts += [f"MAC {', '.join(one.macs)}"] if one.key not in ("router_macs", "access_points") else []
    facts += [f"calls itself {one.name!r}"] if one.name else []
    facts += [f"{one.days} of {one.watched} days", f"{one.times} statements"]
    facts += [f"to {one.peers}"] if one.peers and one.key in ("dhcp", "dhcpv6") else []
    mark = "# " if one.doubts else ""
    doubt = f"; DOUBTFUL: {'; '.join(one.doubts)}" if one.doubts else ""
    return f"    {mark}{_quoted([one.value])},  # {', '.join(facts)}{doubt}"


def as_toml(found: Sequence[Proposal], policy: Policy) -> str:
    """The policy's `[approved]` and the proposals, each with its evidence; doubtful ones commented out."""
    told = {one.key: one for one in found}
    lines = [
        "# Read each line before you copy it: what was seen is not always meant to be there.",
        "[approved]",
    ]
    for key, value in policy.approved.model_dump(mode="json").items():
        if key not in KEYS and value:
            lines.append(f"{key} = [{_quoted(value)}]")
        if key in KEYS and (value or key in told):
            lines.append(f"{key} = [")
            lines += [f"    {_quoted([entry])}," for entry in value]
            lines += [_line(one) for one in found if one.key == key]
            lines.append("]")
    return "\n".join(lines) + "\n"


def _quoted(values: Iterable[str]) -> str:
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return ", ".join(f'"{value}"' for value in escaped)
