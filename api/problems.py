"""Problem responses: RFC 9457 JSON for programs, a page for people, always with the mend."""

from typing import Any

from fastapi.responses import JSONResponse

TITLES = {
    400: "Bad request",
    401: "Sign in",
    403: "Not for this token",
    404: "Not found",
    405: "Only reads are answered here",
    421: "Unknown host name",
    422: "The request cannot be answered as asked",
    500: "The service failed",
    503: "The store does not answer",
}


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """A request that is answered with a problem instead of rows."""

    def __init__(self, status: int, detail: str, mend: str, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.mend = mend
        self.extra = extra

    def body(self, instance: str) -> dict[str, Any]:
        """Members of RFC 9457 section 3.1, and `mend`."""
        return {
            "type": "about:blank",
            "title": TITLES.get(self.status, "Problem"),
            "status": self.status,
            "detail": self.detail,
            "mend": self.mend,
            "instance": instance,
            **self.extra,
        }


def problem_response(problem: Problem, instance: str) -> JSONResponse:
    headers = {"Cache-Control": "no-store"}
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="spanwatch"'
    return JSONResponse(
        problem.body(instance), problem.status, headers, media_type="application/problem+json"
    )
