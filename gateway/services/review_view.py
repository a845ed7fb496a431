"""What a reviewer may ask for: each thing of their open cases as they would see it. Whether they may is decided later.

An ImagingStudy or a DocumentReference tells only of what has arrived at the reviewer's own node: so a recall notice of
its delivery is one of what was read about it, too.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from fhir_mappings.json_text import write_json
from fhir_mappings.links import read_identifier
from fhir_mappings.reviewed import order_for_review, reviewed_document, reviewed_order, reviewed_study
from gateway.domain.consent import Item
from gateway.domain.delivery import DeliveryKind
from gateway.domain.party import Identifier
from gateway.domain.pseudonym import pseudonymous_uid
from gateway.domain.record import Case, Delivery, Study
from gateway.domain.review import TITLE_OF_DOCUMENT, ReviewedDocument, ReviewedObject, ReviewedStudy
from gateway.services.disclosure import document_item, order_item, study_item
from gateway.services.succession import study_of_documents
from gateway.store import cases, deliveries, resources, reviews, studies


@dataclass(frozen=True)
class Viewed:
    """A resource as the reviewer would get it, whose case it is of, and what a consent calls it."""

    case: Case
    content: dict[str, Any]
    item: Item

    @property
    def id(self) -> str:
        """As the reviewer knows it."""
        return str(self.content["id"])

    @property
    def name(self) -> str:
        """`Type/id`."""
        return f"{self.content['resourceType']}/{self.id}"

    @property
    def identifiers(self) -> set[Identifier | None]:
        """Those with a system and a value, and None for any other."""
        held = [*self.content.get("identifier", []), self.content.get("masterIdentifier", {})]
        return {read_identifier(one) for one in held}

    @cached_property
    def text(self) -> bytes:
        """The resource as FHIR JSON."""
        return write_json(self.content)

    @cached_property
    def sha256(self) -> str:
        """What a grant is given for."""
        return hashlib.sha256(self.text).hexdigest()


@dataclass(frozen=True)
class _Desk:
    """A reviewer's open cases by id, as one snapshot has them; `key` is what their pseudonymous UIDs are made with.

    `wanted` are the ids that are asked for, as the reviewer knows them; None: any.
    """

    connection: Connection
    key: bytes
    reviewer_id: str
    cases: Mapping[str, Case]
    wanted: Set[str] | None

    def wants(self, shown_id: str) -> bool:
        """Whether it is asked for; what is not is not put together."""
        return self.wanted is None or shown_id in self.wanted

    def arrived(self, kind: DeliveryKind) -> list[Delivery]:
        """What of them is at the reviewer's node."""
        return reviews.arrived(self.connection, self.reviewer_id, kind)

    def uid(self, uid: str) -> str:
        """As the reviewer has it."""
        return pseudonymous_uid(self.key, self.reviewer_id, uid)

    def sent(self, delivery: Delivery) -> list[str]:
        """The SOP Instance UIDs of a delivery, in its order."""
        return [item.sop_instance_uid for item in deliveries.items(self.connection, delivery.id)]


def viewed(
    connection: Connection, key: bytes, reviewer_id: str, resource_type: str, wanted: Set[str] | None = None
) -> list[Viewed]:
    """What of that type is in the reviewer's open cases, by id; only the `wanted` ids, unless None.

    An id that is another's is looked for as one that nobody has.
    """
    assigned = {case.id: case for case in cases.assigned(connection, reviewer_id)}
    desk = _Desk(connection, key, reviewer_id, assigned, wanted)
    return sorted(_VIEWS[resource_type](desk), key=lambda one: one.id)


def _orders(desk: _Desk) -> Iterator[Viewed]:
    for case in [one for one in desk.cases.values() if desk.wants(one.pseudonym)]:
        ordered = resources.current(desk.connection, case.clinic_id, "ServiceRequest", case.id)
        content = reviewed_order(order_for_review(ordered.content, case.pseudonym))
        yield Viewed(case, content, order_item(desk.connection, case))


def _studies(desk: _Desk) -> Iterator[Viewed]:
    of_study: dict[str, list[Delivery]] = {}
    for one in desk.arrived(DeliveryKind.STUDY_TO_REVIEWER):
        of_study.setdefault(one.subject_id, []).append(one)
    for study_id, arrived in of_study.items():
        case, study = desk.cases[arrived[0].case_id], studies.by_id(desk.connection, study_id)
        if not desk.wants(study.accession_pseudonym):
            continue
        objects = _objects(desk, study, [uid for one in arrived for uid in desk.sent(one)])
        content = ReviewedStudy(case.pseudonym, study.accession_pseudonym, desk.uid(study.study_instance_uid), objects)
        yield Viewed(case, reviewed_study(content), study_item(desk.connection, case, study))


def _objects(desk: _Desk, study: Study, sent: Sequence[str]) -> tuple[ReviewedObject, ...]:
    received = {desk.uid(one.sop_instance_uid): one for one in studies.instances(desk.connection, study.id)}
    return tuple(
        ReviewedObject(desk.uid(one.series_instance_uid), uid, one.sop_class_uid, one.modality)
        for uid in sent
        if (one := received.get(uid)) is not None
    )


def _documents(desk: _Desk) -> Iterator[Viewed]:
    for one in desk.arrived(DeliveryKind.DOCUMENT_TO_REVIEWER):
        (uid,) = desk.sent(one)
        if not desk.wants(uid):
            continue
        case, document = desk.cases[one.case_id], cases.document_by_id(desk.connection, one.subject_id)
        beside = study_of_documents(desk.connection, case.id)
        accession_number = beside.accession_pseudonym if beside else ""
        content = ReviewedDocument(case.pseudonym, accession_number, uid, document.loinc, TITLE_OF_DOCUMENT)
        yield Viewed(case, reviewed_document(content), document_item(desk.connection, case, document))


_VIEWS: Mapping[str, Callable[[_Desk], Iterator[Viewed]]] = {
    "DocumentReference": _documents,
    "ImagingStudy": _studies,
    "ServiceRequest": _orders,
}
TYPES = frozenset(_VIEWS)
"""What of a case its reviewer may ask for."""
