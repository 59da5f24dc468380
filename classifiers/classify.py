"""A batch of records in, the same batch with its meaning out: who, what, and what policy says.

Everything is looked up in tables made once per policy and lists; a batch costs array operations
alone, no Python object per row.
"""

from collections.abc import Sequence
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from blocklists import taxonomy
from blocklists.addresses import PrefixTable
from blocklists.matcher import UNLISTED, Matcher
from classifiers.calendar import Duties
from classifiers.client_macs import ClientMacs
from classifiers.decisions import Decisions
from classifiers.exemptions import Exempt, name_matcher
from classifiers.places import Devices, Places
from classifiers.policy_model import Policy
from pipeline.records import TEXTS

#: Column of the name asked for, by kind of record.
_NAME = {"flows": "server_name", "dns": "qname"}
#: Column of the event time, by kind of record.
TIMES_OF = {"flows": "start", "dns": "ts", "sightings": "ts", "health": "ts"}


class _Words:
    """Words that a column points into, each distinct one once; index -1 is the last."""

    def __init__(self, words: Sequence[str]) -> None:
        places: dict[str, int] = {}
        self._place = np.array([places.setdefault(word, len(places)) for word in words], np.int16)
        self._distinct = pa.array(list(places), pa.string())

    def column(self, index: np.ndarray) -> pa.DictionaryArray:
        """Column of the words at these indexes."""
        return pa.DictionaryArray.from_arrays(pa.array(self._place[index]), self._distinct)


def _constant(word: str, rows: int) -> pa.DictionaryArray:
    return _Words([word]).column(np.zeros(rows, np.int16))


class Classifier:
    """Classifies batches by one policy and one set of lists."""

    def __init__(self, policy: Policy, matcher: Matcher, macs: ClientMacs | None = None) -> None:
        """`macs`, what is known of clients' MAC addresses, is shared by those that follow each other.

        Raises ValueError for a name in the policy that is none.
        """
        self.policy = policy
        self.matcher = matcher
        sets = matcher.sets
        services = sorted({s.service for s in sets} - {""})
        number = {service: i for i, service in enumerate(services)}
        self._services = _Words([*services, ""])
        self._service_of = np.array(
            [number.get(s.service, len(services)) for s in (*sets, UNLISTED)], np.int16
        )
        self._categories = pa.array([taxonomy.names_of(s.mask) for s in (*sets, UNLISTED)], TEXTS)
        self._withheld = np.array([bool(s.mask & taxonomy.WITHHELD_MASK) for s in (*sets, UNLISTED)])
        self.decisions = Decisions(policy, sets)
        self.exempt = [Exempt(policy, sets, exemption) for exemption in policy.exemptions]
        self._sanctioned = name_matcher(policy.sanctioned.names)
        self._vpn = PrefixTable((network, 0) for network in policy.sanctioned.vpn)
        self.clauses = [
            *(decision.clause for decision in self.decisions.known),
            *(exempt.clause for exempt in self.exempt),
        ]
        """Clause of each answer of `decide`."""
        self.actions = [decision.action for decision in self.decisions.known] + ["allow"] * len(self.exempt)
        """Action of each answer of `decide`."""
        self._clause_words, self._action_words = _Words(self.clauses), _Words(self.actions)
        self._sites = _Words([*(site.id for site in policy.sites), ""])
        self._groups = _Words([*(group.id for group in policy.groups), ""])
        self._ownership = _Words([*(group.device_ownership for group in policy.groups), ""])
        self.duties = [Duties(site.calendar, ZoneInfo(site.time_zone)) for site in policy.sites]
        """Calendar of each site."""
        self._devices = Devices(policy)
        self._macs = (macs or ClientMacs()) if len(self._devices) else None
        self.places = lru_cache(maxsize=1_024)(lambda sensor: Places(policy, sensor, self._devices))
        """Sites and groups as a sensor sees them, by its name."""

    def classify(self, records: str, batch: pa.RecordBatch, sensor: str) -> pa.RecordBatch:
        """The batch with its further columns appended, in the order of the store's tables.

        `records` is the kind, `sensor` the name of the sensor that sent it. Names of a withheld
        category are replaced by `(withheld)`; health gets the versions in force. Raises KeyError for an
        unknown kind.
        """
        rows = batch.num_rows
        places = self.places(sensor)
        if self._macs is not None and records in ("flows", "sightings"):
            self._macs.learn(records, batch, sensor)
        if records == "health":
            site = self._sites.column(np.full(rows, places.only_site))
            return _append(self._with_versions(batch), {"site": site})
        if records == "sightings":
            at, _ = places.locate(batch.column("ip"), batch.column("vlan").to_numpy())
            return _append(batch, {"sensor": _constant(sensor, rows), "site": self._sites.column(at)})
        names = batch.column(_NAME[records])
        us = batch.column(TIMES_OF[records]).cast(pa.int64()).to_numpy()
        clients = batch.column("client")
        macs = None
        if self._macs is not None:
            known = batch.column("client_mac").to_numpy() if records == "flows" else None
            macs = self._macs.macs(clients, us, sensor) if known is None else known
        site, group = places.locate(clients, batch.column("vlan").to_numpy(), macs)
        sets = self.matcher.set_ids(names)
        servers = None
        if records == "flows":
            servers = batch.column("server")
            by_address = self.matcher.address_set_ids(servers, batch.column("server_port").to_numpy())
            unnamed = pc.equal(pc.binary_length(names), 0).to_numpy(zero_copy_only=False)
            sets = np.where(unnamed, by_address, sets)
        decided = self.decide(us, site, group, clients, sets, names, servers)
        added: dict[str, pa.Array] = {
            "site": self._sites.column(site),
            "group": self._groups.column(group),
            "device_ownership": self._ownership.column(group),
            "categories": self._categories.take(
                pa.array(np.where(sets < 0, len(self._categories) - 1, sets))
            ),
            "service": self._services.column(self._service_of[sets]),
            "action": self._action_words.column(decided),
            "clause": self._clause_words.column(decided),
            "policy_version": _constant(self.policy.version, rows),
            # One row alone proves nothing: attempts are judged over DNS, TCP and QUIC together.
            "verdict": _constant("none", rows),
            "mechanism": _constant("", rows),
            "confidence": pa.array(np.zeros(rows, np.uint8)),
        }
        if records == "dns":
            added = {"sensor": _constant(sensor, rows), **added}
        return _append(self._without_withheld(records, batch, self._withheld[sets]), added)

    def decide(
        self,
        us: np.ndarray,
        site: np.ndarray,
        group: np.ndarray,
        clients: pa.FixedSizeBinaryArray,
        sets: np.ndarray,
        names: pa.StringArray,
        servers: pa.FixedSizeBinaryArray | None,
    ) -> np.ndarray:
        """Index into `actions` and `clauses` of each row; `servers` is None where rows have none."""
        decided = self.decisions.table[sets, group, self.on_duty(us, site)]
        if self._sanctioned.names:
            decided[self._sanctioned.match(names) >= 0] = Decisions.SANCTIONED
        if servers is not None and len(self._vpn):
            decided[self._vpn.match(servers) >= 0] = Decisions.VPN
        if not len(us):
            return decided
        first, last = int(us.min()), int(us.max())
        for number, exempt in enumerate(self.exempt, len(self.decisions.known)):
            if exempt.last <= first or exempt.first > last:
                continue
            held = exempt.rows(us, site, group, clients, sets, names)
            held[held] = self.decisions.forbids[decided[held]]
            decided[held] = number
        return decided

    def on_duty(self, us: np.ndarray, site: np.ndarray) -> np.ndarray:
        """int64[n]: 1 where a moment (int64 µs) is inside the duty hours of its site."""
        duty = np.zeros(len(us), np.int64)
        for number, duties in enumerate(self.duties):
            here = site == number
            if here.any():
                duty[here] = duties.on_duty(us[here])
        return duty

    def _with_versions(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        versions = {"lists": self.matcher.version, "policy": self.policy.version}
        columns = {name: batch.column(name) for name in batch.schema.names}
        for name, version in versions.items():
            columns[name] = pa.array([version] * batch.num_rows, batch.schema.field(name).type)
        return pa.RecordBatch.from_arrays(list(columns.values()), schema=batch.schema)

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


def _replaced(column: pa.Array, where: np.ndarray) -> pa.Array:
    return pc.if_else(pa.array(where), taxonomy.WITHHELD, column) if where.any() else column


def _append(batch: pa.RecordBatch, added: dict[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [*batch.columns, *added.values()],
        schema=pa.schema(
            [*batch.schema, *(pa.field(name, column.type, nullable=False) for name, column in added.items())]
        ),
    )
