"""What every endpoint has at hand: store, token file, classifier, and the questions all of them ask."""

import logging
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from fastapi import Request
from prometheus_client import CollectorRegistry

from api.access import Access, Identity
from api.metrics import Fleet, Requests
from api.problems import Problem
from api.pseudonyms import Pseudonyms
from api.times import Range, choose_range, now_us
from pipeline.records import TEXT, TEXTS, TIME
from pipeline.settings import Settings
from pipeline.store.client import READERS, Store

_QUERIES = {path.stem: path.read_text("utf-8") for path in (Path(__file__).parent / "queries").glob("*.sql")}

_LOG_ROW = pa.schema(
    [
        ("at", TIME),
        ("token_id", TEXT),
        ("token_name", TEXT),
        ("roles", TEXTS),
        ("path", TEXT),
        ("subject", TEXT),
        ("case_reference", TEXT),
        ("query", TEXT),
        ("rows", pa.uint32()),
    ]
)
_QUERY_KEPT = 2_000
#: Questions of one page at the same time, its own thread's among them; the store's other places are left to
#: other requests and, where they run in this process, detectors. Our default.
_PLACES = READERS // 2

log = logging.getLogger(__name__)


def statement(name: str, **parts: str) -> str:
    """SQL of `queries/name.sql` with its `/*part*/` places filled from text of our own files."""
    text = _QUERIES[name]
    for part, sql in parts.items():
        text = text.replace(f"/*{part}*/", sql)
    return text


class Service:
    """The parts the interface is made of. Holds no state of a request."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        access: Access,
        classifier: Any,
        status: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.access = access
        self.classifier = classifier
        self.status = status
        self.pseudonyms = Pseudonyms(access.key("pseudonyms"))
        self.cursor_key = access.key("cursors")
        self._others = ThreadPoolExecutor(_PLACES - 1, "question")
        self.registry = CollectorRegistry()
        self.requests = Requests(self.registry)
        self.registry.register(Fleet(lambda: self.rows(statement("last_health")), status))

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a question. Raises Problem 503 where the store does not answer."""
        try:
            return self.store.rows(sql, dict(parameters or {}))
        except Exception as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            log.error("cannot ask the store: %s", reason)
            raise Problem(
                503,
                "the store did not answer the question",
                "try again; if it lasts, the service's log says what the store reported",
            ) from error

    def at_once(self, *acts: Callable[[], Any]) -> list[Any]:
        """What each returns, as many at the same time as there are places.

        Raises what the first that fails does.

        An act may ask so itself: what no other thread has begun is done in the caller's. After a failure
        nothing more is begun, and what is under way is not waited for.
        """
        begun: list[Future[Any]] = [self._others.submit(act) for act in acts[1:]]
        try:
            found = [acts[0]()]
            for act, future in zip(acts[1:], begun, strict=True):
                found.append(act() if future.cancel() else future.result())
            return found
        finally:
            for future in begun:
                future.cancel()

    def held(self) -> tuple[int, int] | None:
        """First and last moment of the flows in the store, µs; None where it holds none."""
        row = self.rows(statement("held"))[0]
        return (row["earliest"], row["latest"]) if row["batches"] else None

    def zone(self, site: str | None = None) -> ZoneInfo:
        """Time zone of a site; of the policy's first site where none is named."""
        sites = self.classifier.policy.sites
        chosen = next((s for s in sites if s.id == site), sites[0])
        return ZoneInfo(chosen.time_zone)

    def range(self, first: str | None, last: str | None, zone: ZoneInfo | None = None) -> Range:
        """The range a request asks for. Raises Problem 422 with the mend."""
        held = None if first or last else self.held()
        try:
            return choose_range(first, last, held, now_us(), zone)
        except ValueError as error:
            what, _, mend = str(error).partition("; ")
            raise Problem(422, f"from, to: {what}", mend) from None

    def log_read(
        self, identity: Identity, request: Request, rows: int, *, subject: str = "", case: str | None = None
    ) -> None:
        """Writes that this read is about to be answered. Raises Problem 503: unlogged is unanswered."""
        query = request.url.query[:_QUERY_KEPT]
        values: list[Any] = [
            now_us(),
            identity.token_id,
            identity.name,
            list(identity.roles),
            request.url.path,
            subject,
            case or "",
            query,
            rows,
        ]
        arrays = [pa.array([value], field.type) for value, field in zip(values, _LOG_ROW, strict=True)]
        try:
            self.store.insert("access_log", pa.record_batch(arrays, schema=_LOG_ROW), uuid.uuid4().hex)
        except Exception as error:
            log.error("cannot write the access log: %s", error)
            raise Problem(
                503,
                "this read could not be written to the access log, so it is not answered",
                "try again; if it lasts, see the service's log and the free space of the store",
            ) from error


def service(request: Request) -> Service:
    """The service a request came to."""
    return request.app.state.service
