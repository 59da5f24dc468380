"""`/healthz`, `/readyz`, `/metrics`: for what watches the service. Probes tell ok or not."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from api.problems import Problem
from api.signin import Desk, Signed, granted

router = APIRouter(tags=["service"])


@router.get("/healthz", response_class=PlainTextResponse)
def healthz() -> Response:
    """The process answers. Open without a token."""
    return PlainTextResponse("ok\n")


@router.get("/readyz", response_class=PlainTextResponse, responses={503: {"description": "not ok"}})
def readyz(desk: Desk) -> Response:
    """The store answers and the worker, where there is one, works. Open without a token."""
    try:
        desk.rows("SELECT 1 AS one")
        ready = desk.status is None or bool(desk.status().get("ready", True))
    except Problem:
        ready = False
    return PlainTextResponse("ok\n") if ready else PlainTextResponse("not ok\n", 503)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(desk: Desk, identity: Signed) -> Response:
    """Prometheus metrics of the service, the worker and each sensor's last report. Needs a token."""
    granted(identity, "metrics")
    return Response(generate_latest(desk.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)
