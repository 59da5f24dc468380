"""The FastAPI application: routes, problems, and the schema of the interface."""

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from api import assets, session
from api.access import Access
from api.pages import error_page, wants_page
from api.pages import router as pages
from api.problems import Problem, problem_response
from api.routes import (
    bandwidth,
    devices,
    filtering,
    findings,
    health,
    listings,
    lists,
    lookup,
    policies,
    probes,
)
from api.service import Service
from api.shield import Shield
from api.signin import Desk, Signed
from pipeline.settings import Settings
from pipeline.store.client import Store

_ABOUT = """\
What a passive sensor saw, what the filter did, and what the detectors state. Reads only.

Every time is UTC, RFC 3339. A range is `from` (included) to `to` (not included); without both it is the
last hour, or the end of what was recorded. Null is unknown, never zero. Listings give `next`, a cursor for
the page after; `Accept: text/csv` gives the same rows as CSV. What a token shows depends on its roles.
"""


def _version() -> str:
    try:
        return version("spanwatch")
    except PackageNotFoundError:
        return "0"


def create_app(
    settings: Settings,
    store: Store,
    access: Access,
    classifier: Any,
    status: Callable[[], Mapping[str, Any]] | None = None,
) -> FastAPI:
    """The application over an opened, migrated store.

    `status` gives the worker's state where one runs in this process: `ready` (bool) decides `/readyz`,
    and every number in it is a metric.
    """
    app = FastAPI(
        title="spanwatch",
        version=_version(),
        description=_ABOUT,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    desk = Service(settings, store, access, classifier, status)
    app.state.service = desk
    for room in (listings, bandwidth, filtering, findings, devices, health, lists, lookup, policies, probes):
        app.include_router(room.router)
    for room in (session, assets):
        app.include_router(room.router)
    app.include_router(pages)

    @app.get("/openapi.json", include_in_schema=False)
    def schema(desk: Desk, identity: Signed) -> Response:
        return JSONResponse(app.openapi())

    def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return _answer(request, error)

    def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _answer(request, _validation_problem(error))

    def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        mends = {404: "GET /openapi.json lists what there is", 405: "use GET"}
        return _answer(
            request,
            Problem(error.status_code, str(error.detail), mends.get(error.status_code, "see docs/api.md")),
        )

    def on_failure(request: Request, error: Exception) -> Response:
        return _answer(
            request,
            Problem(500, "the service failed to answer", "the service's log has the cause; report it"),
        )

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_failure)
    app.add_middleware(Shield, bound=settings.api.host, requests=desk.requests)
    return app


def _answer(request: Request, problem: Problem) -> Response:
    if wants_page(request):
        return error_page(request, problem)
    return problem_response(problem, request.url.path)


def _validation_problem(error: RequestValidationError) -> Problem:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("query", "path"))
    if first["type"] == "extra_forbidden":
        return Problem(422, f"{where[:60]}: there is no such parameter", "take its name from /openapi.json")
    return Problem(422, f"{where[:60]}: {first['msg']}", "give a value that /openapi.json allows")
