"""What clinics do with the patients, consents and Provenances of the scenery."""

from datetime import datetime
from typing import Any

from sqlalchemy import update

from gateway.demo import resources as demo
from gateway.domain.case import DocumentState
from gateway.domain.delivery import DeliveryKind, DeliveryState, Flow
from gateway.domain.party import Identifier
from gateway.domain.record import CaseDocument, Delivery
from gateway.domain.resource import StoredResource
from gateway.services import egress, revocation
from gateway.services.resource_transaction import Effect
from gateway.services.resources import store_internal
from gateway.store import cases, deliveries, resources, tables
from tests.unit.gateway.services.scenery import DATA, Scenery, replace_client

Json = dict[str, Any]
SIGNATURE_TYPE = {"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1"}
GUARDIAN = {"identifier": {"system": "urn:oid:1.2.3", "value": "guardian-1"}}


def stored(scenery: Scenery, content: Json, effect: Effect) -> StoredResource:
    """As the clinic's own client stores it."""
    with scenery.core.database.write("test") as connection:
        new = store_internal(connection, "ankara", content, now=scenery.clock())
        effect(connection, replace_client(new))
    return new


def consent(
    scenery: Scenery, flow: Flow, *, patient_id: str = "", of: str = "", without: tuple[str, ...] = (), **elements: Any
) -> str:
    """The demo's consent with other elements; gives its id."""
    content = demo.consent(DATA, flow, f"Patient/{patient_id or scenery.case.patient_id}") | elements
    for name in without:
        del content[name]
    return stored(scenery, content | ({"id": of} if of else {}), revocation.consent_stored).id


def provenance(scenery: Scenery, *targets: str, **elements: Any) -> StoredResource:
    """A Provenance of these references."""
    content = {
        "resourceType": "Provenance",
        "target": [{"reference": one} for one in targets],
        "recorded": "2026-03-02T10:00:00+03:00",
        "agent": [{"who": {"display": "registrar"}}],
        **elements,
    }
    return stored(scenery, content, revocation.provenance_stored)


def signature(who: Json, code: Json = SIGNATURE_TYPE) -> Json:
    return {"type": [code], "when": "2026-03-02T10:00:00+03:00", "who": who, "data": "c2lnbmVk"}


def document(scenery: Scenery, images: Delivery | None = None, **elements: Any) -> Delivery:
    """A delivery of a cleared document with these elements, beside images that have arrived."""
    beside, now, pdf = images or scenery.images("1.1"), scenery.clock(), scenery.core.blobs.put(b"%PDF-1.7")
    content = demo.document(f"Patient/{scenery.case.patient_id}", f"ServiceRequest/{scenery.case.id}", b"") | elements
    with scenery.core.database.write("test") as connection:
        reference = store_internal(connection, "ankara", content, now=now).id
        state, day = DocumentState.CLEARED, now.date()
        kept = CaseDocument(reference, scenery.case.id, state, "", demo.PATHOLOGY_STUDY, day, pdf, pdf, "x", now, now)
        cases.add_document(connection, kept)
        deliveries.change(connection, beside.id, now=now, state=DeliveryState.DELIVERED)
        return egress.open_delivery(
            connection,
            scenery.case,
            kind=DeliveryKind.DOCUMENT_TO_REVIEWER,
            endpoint_id="board-node",
            subject_id=reference,
            business_key=egress.business_key("document", reference, "board-node", 0),
            payload_sha256=pdf,
            now=now,
        )


def patient(scenery: Scenery, *, of: str = "", number: str = "4712", **elements: Any) -> str:
    """Another record, or a new version of one; gives its id."""
    content = demo.patient_resource(DATA) | {"identifier": [{"system": demo.MRN_SYSTEM, "value": number}]} | elements
    return stored(scenery, content | ({"id": of} if of else {}), revocation.patient_stored).id


def move(scenery: Scenery, party: str, country: str) -> None:
    """The party is in that country."""
    with scenery.core.database.write("test") as connection:
        connection.execute(update(tables.party).where(tables.party.c.name == party).values(country=country))


def of_clinic(scenery: Scenery, kind: str, identifier: Identifier) -> Json | None:
    """What the clinic reads under that identifier."""
    with scenery.core.database.read() as connection:
        found = resources.id_by_identifier(connection, "ankara", kind, identifier)
        return None if found is None else resources.current(connection, "ankara", kind, found).content


def actions(scenery: Scenery) -> list[tuple[str, str]]:
    """Actor and action of each audit row."""
    with scenery.core.database.read() as connection:
        rows = connection.execute(tables.audit.select().order_by(tables.audit.c.id))
        return [(row.actor, row.action) for row in rows]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
