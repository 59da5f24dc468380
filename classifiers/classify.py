"""A batch of records in, the same batch with its meaning out: who, what, and what policy says.

Everything is looked up in tables made once per policy and lists; a batch costs array operations
alone, no Python object per row.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from blocklists import taxonomy
from blocklists.matcher import UNLISTED, Matcher
from blocklists.names import AddressError, WholeSuffixError, normal_name
from classifiers.calendar import Duties
from classifiers.decisions import SANCTIONED, TIMES, Decisions
from classifiers.exemptions import EXEMPTION, Exempt, name_matcher
from classifiers.places import Places
from classifiers.policy_model import Policy
from pipeline.records import TEXTS

WORDS = pa.dictionary(pa.int16(), pa.string())
#: Columns added to flows and dns; dns and sightings get `sensor`, sightings and health get `site`.
ADDED = pa.schema(
    [
        ("site", WORDS), ("group", WORDS), ("device_ownership", WORDS), ("categories", TEXTS),
        ("service", WORDS), ("action", WORDS), ("clause", WORDS), ("policy_version", WORDS),
        ("verdict", WORDS), ("mechanism", WORDS), ("confidence", pa.uint8()),
    ]
)  # fmt: skip

#: Column of the name asked for, and of the event time, by kind of record.
_NAME = {"flows": "server_name", "dns": "qname"}
_TIME = {"flows": "start", "dns": "ts"}


def _words(words: Sequence[str], index: np.ndarray) -> pa.DictionaryArray:
    """Column of `words[index]`; index -1 is the last word."""
    distinct = list(dict.fromkeys(words))
    place = np.array([distinct.index(word) for word in words], np.int16)
    return pa.DictionaryArray.from_arrays(pa.array(place[index]), pa.array(distinct, pa.string()))


def _constant(word: str, rows: int) -> pa.DictionaryArray:
    return _words([word], np.zeros(rows, np.int16))


class Classifier:
    """Classifies batches by one policy and one set of lists."""

    def __init__(self, policy: Policy, matcher: Matcher) -> None:
        """Raises ValueError for a name in the policy that is none."""
        self.policy = policy
        self.matcher = matcher
        sets = matcher.sets
        services = sorted({s.service for s in sets} - {""})
        number = {service: i for i, service in enumerate(services)}
        self._services = [*services, ""]
        self._service_of = np.array(
            [number.get(s.service, len(services)) for s in (*sets, UNLISTED)], np.int16
        )
        self._categories = pa.array([taxonomy.names_of(s.mask) for s in (*sets, UNLISTED)], TEXTS)
        self._withheld = np.array([bool(s.mask & taxonomy.WITHHELD_MASK) for s in (*sets, UNLISTED)])
        self._decisions = Decisions(policy, sets)
        self._exempt = [Exempt(policy, sets, exemption) for exemption in policy.exemptions]
        self._sanctioned = name_matcher(policy.sanctioned.names)
        self._clauses = [
            *(decision.clause for decision in self._decisions.known),
            *(exempt.clause for exempt in self._exempt),
        ]
        self._actions = [decision.action for decision in self._decisions.known] + ["allow"] * len(
            self._exempt
        )
        self._sites = [*(site.id for site in policy.sites), ""]
        self._groups = [*(group.id for group in policy.groups), ""]
        self._ownership = [*(group.device_ownership for group in policy.groups), ""]
        self._duties = [Duties(site.calendar, ZoneInfo(site.time_zone)) for site in policy.sites]
        self._places = lru_cache(maxsize=1_024)(lambda sensor: Places(policy, sensor))

    def classify(self, records: str, batch: pa.RecordBatch, sensor: str) -> pa.RecordBatch:
        """The batch with its further columns appended, in the order of the store's tables.

        `records` is the kind, `sensor` the name of the sensor that sent it. Names of a withheld
        category are replaced by `(withheld)`. Raises KeyError for an unknown kind.
        """
        rows = batch.num_rows
        places = self._places(sensor)
        if records == "health":
            return _append(batch, {"site": _words(self._sites, np.full(rows, places.only_site))})
        if records == "sightings":
            site, _ = places.locate(batch.column("ip"), batch.column("vlan").to_numpy())
            return _append(batch, {"sensor": _constant(sensor, rows), "site": _words(self._sites, site)})
        names = batch.column(_NAME[records])
        us = batch.column(_TIME[records]).cast(pa.int64()).to_numpy()
        clients = batch.column("client")
        site, group = places.locate(clients, batch.column("vlan").to_numpy())
        sets = self.matcher.set_ids(names)
        if records == "flows":
            by_address = self.matcher.address_set_ids(
                batch.column("server"), batch.column("server_port").to_numpy()
            )
            unnamed = pc.equal(pc.binary_length(names), 0).to_numpy(zero_copy_only=False)
            sets = np.where(unnamed, by_address, sets)
        decided = self._decide(us, site, group, clients, sets, names)
        added: dict[str, pa.Array] = {
            "site": _words(self._sites, site),
            "group": _words(self._groups, group),
            "device_ownership": _words(self._ownership, group),
            "categories": self._categories.take(
                pa.array(np.where(sets < 0, len(self._categories) - 1, sets))
            ),
            "service": _words(self._services, self._service_of[sets]),
            "action": _words(self._actions, decided),
            "clause": _words(self._clauses, decided),
            "policy_version": _constant(self.policy.version, rows),
            # One row alone proves nothing: attempts are judged over DNS, TCP and QUIC together.
            "verdict": _constant("none", rows),
            "mechanism": _constant("", rows),
            "confidence": pa.array(np.zeros(rows, np.uint8)),
        }
        if records == "dns":
            added = {"sensor": _constant(sensor, rows), **added}
        return _append(self._without_withheld(records, batch, self._withheld[sets]), added)

    def _decide(
        self,
        us: np.ndarray,
        site: np.ndarray,
        group: np.ndarray,
        clients: pa.FixedSizeBinaryArray,
        sets: np.ndarray,
        names: pa.StringArray,
    ) -> np.ndarray:
        """Index into `_actions` and `_clauses` of each row."""
        duty = np.zeros(len(us), np.int64)
        for number, duties in enumerate(self._duties):
            here = site == number
            if here.any():
                duty[here] = duties.on_duty(us[here])
        decided = self._decisions.table[sets, group, duty]
        if self._sanctioned.names:
            decided[self._sanctioned.match(names) >= 0] = Decisions.SANCTIONED
        for number, exempt in enumerate(self._exempt, len(self._decisions.known)):
            held = exempt.rows(us, site, group, clients, sets, names)
            held[held] = self._decisions.forbids[decided[held]]
            decided[held] = number
        return decided

    def _without_withheld(self, records: str, batch: pa.RecordBatch, withheld: np.ndarray) -> pa.RecordBatch:
        if not self._withheld.any():
            return batch
        columns = {name: batch.column(name) for name in batch.schema.names}
        if records == "flows":
            withheld_too = self._withheld[self.matcher.set_ids(columns["http_location"])]
            columns["http_location"] = _replaced(columns["http_location"], withheld_too)
            # A certificate tells its server's name; one that the server signed itself tells it twice.
            certified = withheld.copy()
            for name in ("certificate", "issuer"):
                certified |= self._withheld[self.matcher.set_ids(columns[name])]
            for name in ("certificate", "issuer"):
                there = pc.greater(pc.binary_length(columns[name]), 0).to_numpy(zero_copy_only=False)
                columns[name] = _replaced(columns[name], certified & there)
        else:
            answers = columns["answers"]
            # HTTPS and SVCB answers say more behind the target's name.
            flat = pc.replace_substring_regex(answers.flatten(), " .*", "")
            parents = pc.list_parent_indices(answers).to_numpy(zero_copy_only=False)
            tainted = withheld.copy()
            tainted[parents[self._withheld[self.matcher.set_ids(flat)]]] = True
            if tainted.any():
                columns["answers"] = pc.if_else(
                    pa.array(tainted), pa.scalar([taxonomy.WITHHELD], TEXTS), answers
                )
        columns[_NAME[records]] = _replaced(columns[_NAME[records]], withheld)
        return pa.RecordBatch.from_arrays(list(columns.values()), schema=batch.schema)

    def explain(self, name: str, group: str | None = None, at: datetime | None = None) -> dict[str, Any]:
        """What the name is, on which lists and lines, and what policy says at that moment.

        One decision for each site and group (all and, as "", none; or the one asked for), `at` an
        aware time, now if not given. Raises ValueError for what is no name, an unknown group or a time
        without a zone.
        """
        try:
            # A suffix or an address is no name to a list, but can be asked for.
            try:
                normal_name(name)
            except AddressError:
                ip_address(name)
        except WholeSuffixError:
            pass
        except ValueError as error:
            raise ValueError(f"{error}; give the host name alone, as www.example.org") from None
        at = at or datetime.now(UTC)
        if at.tzinfo is None:
            raise ValueError("the time has no zone; add one, as 2026-01-31T10:00:00-08:00")
        if group is not None and group not in self._groups:
            known = ", ".join(g for g in self._groups if g)
            raise ValueError(f"no group {group!r} in the policy; use one of {known}")
        found = self.matcher.lookup(name)
        withheld = bool(taxonomy.mask_of(found.categories) & taxonomy.WITHHELD_MASK)
        return {
            "name": taxonomy.WITHHELD if withheld else found.name,
            "matched": taxonomy.WITHHELD if withheld else found.matched,
            "categories": found.categories,
            "service": found.service,
            "lists": [
                {
                    "list": origin.source.name, "title": origin.source.title, "file": origin.source.file,
                    "member": origin.member, "line": origin.line,
                    "name": taxonomy.WITHHELD if withheld else origin.name, "exact": origin.exact,
                    "exception": origin.exception, "sha256": origin.source.sha256,
                }
                for origin in found.origins
            ],
            "lists_version": self.matcher.version,
            "policy_version": self.policy.version,
            "at": at.isoformat(),
            "decisions": list(self._explained(name, group, at)),
        }  # fmt: skip

    def _explained(self, name: str, group: str | None, at: datetime) -> Iterator[dict[str, Any]]:
        asked = pa.array([self.matcher.lookup(name).name])
        sets = self.matcher.set_ids(asked)
        us = np.array([round(at.timestamp() * 1_000_000)])
        nobody = pa.array([b"\0" * 16], pa.binary(16))
        for number, site in enumerate(self.policy.sites):
            duty = bool(self._duties[number].on_duty(us)[0])
            for place, wanted in enumerate(self._groups):
                only_at = self.policy.groups[place].sites if wanted else ()
                if group not in (None, wanted) or (only_at and site.id not in only_at):
                    continue
                here, who = np.array([number], np.int16), np.array([place], np.int16)
                decided = int(self._decide(us, here, who, nobody, sets, asked)[0])
                known = self._decisions.known
                rule = known[decided].rule if decided < len(known) else -1
                clause = self._clauses[decided]
                yield {
                    "site": site.id,
                    "group": wanted,
                    "local_time": at.astimezone(ZoneInfo(site.time_zone)).isoformat(),
                    "when": TIMES[duty],
                    "action": self._actions[decided],
                    "clause": clause,
                    "clause_text": self._clause_text(clause),
                    "rule": rule + 1 if rule >= 0 else None,
                }

    def _clause_text(self, clause: str) -> str:
        if clause.startswith(EXEMPTION):
            by_id = {exemption.id: exemption for exemption in self.policy.exemptions}
            return by_id[clause.removeprefix(EXEMPTION)].reason
        if clause == SANCTIONED:
            return "Provided by the organisation"
        return self.policy.clauses.get(clause, "")


def _replaced(column: pa.Array, where: np.ndarray) -> pa.Array:
    return pc.if_else(pa.array(where), taxonomy.WITHHELD, column) if where.any() else column


def _append(batch: pa.RecordBatch, added: dict[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [*batch.columns, *added.values()],
        schema=pa.schema(
            [*batch.schema, *(pa.field(name, column.type, nullable=False) for name, column in added.items())]
        ),
    )
