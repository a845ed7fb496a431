"""What a browser carries from one step of signing in to the next: sealed, of one kind, good for some minutes."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.domain.errors import Invalid, Unauthenticated
from gateway.services.core import Core
from gateway.services.people.sealing import seal, unseal

LIFETIME = timedelta(minutes=10)
_LONGEST = 4096


class TicketKind(StrEnum):
    """The step that a ticket leads to."""

    SECOND_FACTOR = "second-factor"
    ENROLMENT = "enrolment"
    OPENID = "openid"


def issue(core: Core, kind: TicketKind, values: Mapping[str, str]) -> str:
    """A ticket with these values, in letters that a cookie takes."""
    content = {"values": dict(values), "ends_at": (core.now() + LIFETIME).isoformat()}
    sealed = seal(core.pseudonym_key, f"ticket/{kind}", json.dumps(content).encode())
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def read(core: Core, kind: TicketKind, ticket: str) -> Mapping[str, str]:
    """Its values. Raises Unauthenticated for one that is missing, of another kind, over or not ours."""
    try:
        padded = ticket[:_LONGEST] + "=" * (-len(ticket) % 4)
        sealed = base64.b64decode(padded, altchars=b"-_", validate=True)
        content = json.loads(unseal(core.pseudonym_key, f"ticket/{kind}", sealed))
    except (Invalid, binascii.Error, ValueError) as exc:
        raise Unauthenticated("this step was not begun here, or in another browser; begin anew") from exc
    if core.now() >= datetime.fromisoformat(content["ends_at"]):
        raise Unauthenticated("this step took too long; begin anew")
    values: Mapping[str, str] = content["values"]
    return values
