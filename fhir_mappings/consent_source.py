"""Consent.source[x]: the paper that proves a consent. What nobody here has the bytes of proves nothing.

https://hl7.org/fhir/R4/consent-definitions.html#Consent.source_x_

| FHIR path | is a source | note |
| --- | --- | --- |
| sourceAttachment.data | yes | also beside a url |
| sourceAttachment.url | Binary/id of this server | any other one leads to what is not kept here |
| sourceReference.reference | DocumentReference/id of this server | its PDF is kept |
| sourceReference, anything else | no | an identifier, another server, words, another type |
"""

import hashlib
import json
from typing import Any

from fhir_mappings.consent_elements import single
from fhir_mappings.literal_references import local_target
from gateway.domain.consent import Effect, Provision
from gateway.domain.errors import Unprocessable

_ATTACHMENT, _REFERENCE = "sourceAttachment", "sourceReference"


def has_source(resource: dict[str, Any]) -> bool:
    """Whether the paper is kept here. Raises Invalid."""
    return bool(_kept(resource))


def check_source(resource: dict[str, Any], provision: Provision | None, root: Effect | None) -> None:
    """Raise Unprocessable where something is permitted on a source that is not kept here.

    What only denies is taken with any source: it counts without one.
    """
    named = next((name for name in (_ATTACHMENT, _REFERENCE) if name in resource), "")
    if not named or _kept(resource) or not _permits(provision, root):
        return
    remedy = "send the document itself as sourceAttachment.data, or its DocumentReference and name that as DocumentReference/id"
    raise Unprocessable(f"a source that is not kept here proves nothing; {remedy}", at=f"Consent.{named}")


def source_digest(resource: dict[str, Any]) -> str:
    """The same for versions of a consent that stand on the same paper; '' where none is kept. Raises Invalid."""
    kept = _kept(resource)
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest() if kept else ""


def _kept(resource: dict[str, Any]) -> tuple[str, ...]:
    """What holds the bytes; empty where nothing does."""
    if _ATTACHMENT in resource:
        attachment = single(resource, _ATTACHMENT, f"Consent.{_ATTACHMENT}")
        if data := "".join(str(attachment.get("data", "")).split()):
            return ("data", data)
        return _local(attachment.get("url"), "Binary")
    if _REFERENCE in resource:
        return _local(single(resource, _REFERENCE, f"Consent.{_REFERENCE}").get("reference"), "DocumentReference")
    return ()


def _local(literal: object, kind: str) -> tuple[str, ...]:
    target = local_target(literal) if isinstance(literal, str) else None
    return (target.type, target.id) if target is not None and target.type == kind else ()


def _permits(provision: Provision | None, effect: Effect | None) -> bool:
    inner = provision.provisions if provision else ()
    return effect is Effect.PERMIT or any(_permits(one, one.type) for one in inner)
