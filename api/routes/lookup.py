"""`/v1/lookup`: what a name is, on which lists, and what the policy says."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from api.problems import Problem
from api.roles import NEVER
from api.service import Service
from api.signin import Desk, Signed, granted
from api.times import moment, now_us
from classifiers.explain import Client

router = APIRouter(prefix="/v1", tags=["lookup"])


class LookupQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=253, description="domain name")]
    group: Annotated[str | None, Field(max_length=100, description="group of the policy")] = None
    at: Annotated[str | None, Field(max_length=64, description="RFC 3339 time; now where left out")] = None
    host: Annotated[
        str, Field(max_length=64, description="address or MAC of a client: why it may or not")
    ] = ""
    mac: Annotated[str, Field(max_length=32, description="MAC of that client, beside its address")] = ""
    vlan: Annotated[int, Field(ge=0, le=4_094, description="VLAN of that client; 0 none")] = 0
    sensor: Annotated[str, Field(max_length=100, description="sensor that saw it")] = ""

    def client(self) -> Client | None:
        """The client that is asked about, if one is."""
        given = self.host or self.mac or self.vlan or self.sensor
        return Client(self.host, self.vlan, self.sensor, self.mac) if given else None


def _mentions(value: Any, words: tuple[str, ...]) -> bool:
    if isinstance(value, dict):
        return any(_mentions(item, words) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple):
        return any(_mentions(item, words) for item in value)
    return value in words


def explained(
    desk: Service, name: str, group: str | None, at: str | None, client: Client | None = None
) -> dict[str, Any]:
    """What the classifier says of a name; of names that are never shown only that they are prohibited."""
    try:
        us = moment(at, now_us()) if at else now_us()
        when = datetime.fromtimestamp(us / 1e6, UTC)
        found = desk.classifier.explain(name, group=group or None, at=when, client=client)
    except (ValueError, KeyError) as error:
        what, _, mend = str(error.args[0] if error.args else error).partition("; ")
        raise Problem(
            422, what, mend or "give a name such as www.example.org, and a group of the policy"
        ) from None
    plain = json.loads(json.dumps(found, default=str))
    if _mentions(plain, NEVER):
        return {"name": plain.get("name", name), "action": "prohibit", "withheld": True}
    return plain


@router.get("/lookup")
def lookup(desk: Desk, identity: Signed, query: Annotated[LookupQuery, Query()]) -> Response:
    """Categories, service, lists and action of a name, as the policy valid at that time decides.

    With a client, `judged` says each step: its site and group, the local hour, which rules there are and why
    one decided, which exemption, and the clause.
    """
    granted(identity, "lookup")
    return JSONResponse(explained(desk, query.name, query.group, query.at, query.client()))
