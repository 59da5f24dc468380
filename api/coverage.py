"""What the sensors saw and what they missed: the ground of every other statement."""

from typing import Any

from api.service import Service, statement
from api.sums import OF_SITES, traffic
from api.times import MINUTE_US, SECOND_US, SLOT_S, Range, now_us, utc_text

#: Silence of a sensor that counts as a gap, three of its ten-second ticks. Our default.
GAP_S = 30
#: Words of `flows.sight` for what has a name that the mirror does not show, and for what may have another.
HIDDEN, PERHAPS = ("tunnel", "encrypted_dns", "ech", "no_name"), ("ech_or_grease", "dns")


def _sensor(row: dict[str, Any]) -> dict[str, Any]:
    offered = row["seen"] + row["kernel"]
    return {
        "sensor": row["name"],
        "sites": [site for site in row["sites"] if site],
        "state": "reported",
        "packets": row["seen"],
        "bytes": row["wire_bytes"],
        "dropped_kernel": row["kernel"],
        "dropped_ring": row["ring"],
        "loss": round(row["kernel"] / offered, 9) if offered else None,
        "truncated": row["short"],
        "malformed": row["bad"],
        "unknown_link": row["undecoded"],
        "duplicates": row["doubled"],
        "evicted": row["early"],
        "outbox_lost": row["lost"],
        "outbox_bytes": row["waiting"],
        "flows_peak": row["most_flows"],
        "clock_offset_us": row["clock_offset"],
        "boots": row["boots"],
        "gap_events": row["gap_events"],
        "incomplete_batches": 0,
        "version": row["release"],
        "last": utc_text(row["latest"]),
    }


def _gaps(row: dict[str, Any], span: Range, end: int) -> list[tuple[int, int]]:
    """Gaps of one sensor inside the range, its ends included."""
    longest = GAP_S * SECOND_US
    found = [(first, last) for first, last in row["gaps"]]
    if row["earliest"] > span.first + longest:
        found.insert(0, (span.first, row["earliest"]))
    if row["latest"] < end - longest:
        found.append((row["latest"], end))
    return [(max(a, span.first), min(b, end)) for a, b in found if min(b, end) > max(a, span.first)]


def coverage(desk: Service, span: Range) -> dict[str, Any]:
    """Sensors with their counters, gaps, and the share of the range each one covered.

    A sensor known to the store that did not report in the range has state `unknown` and nulls. `in_force`
    is what rows are judged by now, and why a newer policy or newer lists are not.
    """
    bounds = {"first": span.first, "last": span.last}
    slots = bounds | span.inside("slot", SLOT_S)
    end = max(min(span.last, now_us()), span.first + 1)
    reported, found, incomplete, ever, names = desk.at_once(
        lambda: desk.rows(statement("sensors"), slots),
        lambda: desk.rows(statement("gaps"), slots | {"longest_us": GAP_S * SECOND_US}),
        lambda: desk.rows(statement("incomplete"), bounds),
        lambda: desk.rows(statement("sensors_known")),
        lambda: visibility(desk, span),
    )
    sensors = {row["name"]: _sensor(row) for row in reported}
    edges = {row["name"]: row for row in found}
    for row in incomplete:
        if row["name"] in sensors:
            sensors[row["name"]]["incomplete_batches"] = row["batches"]
    for known in ever:
        sensors.setdefault(
            known["name"],
            {"sensor": known["name"], "state": "unknown", "packets": None, "last": utc_text(known["latest"])},
        )
    for name, sensor in sensors.items():
        if name not in edges:
            sensor |= {"covered": None if sensor["state"] == "unknown" else 0.0, "gaps": []}
            if end - span.first > GAP_S * SECOND_US:
                sensor["gaps"] = [_gap(span.first, end)]
            continue
        missed = _gaps(edges[name], span, end)
        if sensor["state"] == "unknown":
            sensor["state"] = "records only"
        sensor["covered"] = round(1 - sum(b - a for a, b in missed) / (end - span.first), 6)
        sensor["gaps"] = [_gap(a, b) for a, b in missed]
    return {
        "from": utc_text(span.first),
        "to": utc_text(span.last),
        "note": span.note,
        "gap_seconds": GAP_S,
        "sensors": [sensors[name] for name in sorted(sensors)],
        "visibility": names,
        "in_force": desk.classifier.standing(),
    }


def _gap(first: int, last: int) -> dict[str, Any]:
    return {"from": utc_text(first), "to": utc_text(last), "seconds": round((last - first) / SECOND_US, 3)}


def visibility(desk: Service, span: Range) -> dict[str, Any]:
    """Bytes in all, with a name, with a service or category, of no recognised application; what hid the rest.

    `hidden_share` and `reasons` are parts of all bytes, and of all flows, of a site's group; what may be
    hidden or not (an ECH extension, which browsers also send without a meaning) is a part of its own.
    """
    whole = span.aligned(MINUTE_US)
    bounds = {"first": whole.first, "last": whole.last}
    sums = traffic(whole, OF_SITES, ("service", "category", "application", "name_source"), "1")
    row = desk.rows(statement("visibility", traffic=sums))[0]
    total = row["total"]
    return {
        "bytes": total,
        "named_share": round(row["named"] / total, 6) if total else None,
        "classified_share": round(row["classified"] / total, 6) if total else None,
        "unrecognised_share": round(row["unrecognised"] / total, 6) if total else None,
        **_hidden(desk.rows(statement("sight"), bounds | whole.inside("hour", 3_600))),
    }


def _hidden(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares by reason over everything, and for each site and group."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["site"], row["group"]), []).append(row)
    return {
        **_shares(rows),
        "groups": [
            {"site": site, "group": group, **_shares(own)} for (site, group), own in sorted(groups.items())
        ],
    }


def _shares(rows: list[dict[str, Any]]) -> dict[str, Any]:
    bytes_, flows = sum(row["bytes"] for row in rows), sum(row["flows"] for row in rows)
    by_word: dict[str, list[int]] = {}
    for row in rows:
        word = by_word.setdefault(row["sight"], [0, 0])
        word[0] += row["bytes"]
        word[1] += row["flows"]

    def share(words: tuple[str, ...], place: int, whole: int) -> float | None:
        return round(sum(by_word.get(word, (0, 0))[place] for word in words) / whole, 6) if whole else None

    return {
        "hidden_share": share(HIDDEN, 0, bytes_),
        "hidden_flows_share": share(HIDDEN, 1, flows),
        "perhaps_hidden_share": share(PERHAPS, 0, bytes_),
        "reasons": [
            {
                "reason": word,
                "bytes_share": share((word,), 0, bytes_),
                "flows_share": share((word,), 1, flows),
            }
            for word in (*HIDDEN, *PERHAPS)
        ],
    }
