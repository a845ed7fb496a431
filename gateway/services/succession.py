"""Whose turn it is: what leaves for one destination does so in its order.

No version of a report overtakes an earlier one, and none comes after a later one. No objects of a study overtake those
that were to leave before, and no document the images that it travels beside.
"""

from sqlalchemy import Connection

from gateway.domain.delivery import ENDED, UNSENT, DeliveryKind, DeliveryState, Flow
from gateway.domain.errors import NotYet
from gateway.domain.record import Delivery, Study
from gateway.domain.study import StudyState
from gateway.store import deliveries, studies


def require_turn(connection: Connection, delivery: Delivery) -> None:
    """Raise NotYet while something that goes before it has not ended. The caller has locked the case.

    A version of a report that failed lets the next one go, which is whole without it; objects of a study that failed
    hold back what comes after them until a person has had them sent or cancelled them.
    """
    earlier = deliveries.earlier_versions(connection, delivery)
    if delivery.kind.flow is Flow.RETURN_TO_CLINIC:
        if any(one.state in UNSENT for one in earlier):
            raise NotYet("an earlier version is still on its way to the same destination")
    elif any(one.state not in ENDED for one in earlier):
        raise NotYet("earlier objects of the same study have neither arrived nor been cancelled")
    if delivery.kind is DeliveryKind.DOCUMENT_TO_REVIEWER and _is_ahead_of_images(connection, delivery.case_id):
        raise NotYet("the images beside which it travels have neither arrived nor been cancelled")


def followers(connection: Connection, delivery: Delivery) -> list[Delivery]:
    """What may be waiting for this one to end: later versions, and the documents beside a study's images."""
    later = deliveries.later_versions(connection, delivery)
    if delivery.kind is not DeliveryKind.STUDY_TO_REVIEWER:
        return later
    of_case = deliveries.listed(connection, case_id=delivery.case_id)
    return later + [one for one in of_case if one.kind is DeliveryKind.DOCUMENT_TO_REVIEWER]


def study_of_documents(connection: Connection, case_id: str) -> Study | None:
    """The case's first study, beside whose images its documents travel; None while none is matched."""
    matched = studies.listed(connection, case_id=case_id, state=StudyState.MATCHED)
    return matched[0] if matched else None


def _is_ahead_of_images(connection: Connection, case_id: str) -> bool:
    """True until images of the study have arrived; False as well where a person wants none of them to leave."""
    study = study_of_documents(connection, case_id)
    images = deliveries.listed(connection, subject_id=study.id) if study else []
    states = {one.state for one in images}
    return DeliveryState.DELIVERED not in states and states != {DeliveryState.CANCELLED}


def successor(connection: Connection, delivery: Delivery) -> Delivery | None:
    """The last of the later versions that are at the destination, or may be. The caller has locked the case.

    None for what goes to a reviewer: that is added to what went before, and replaces nothing.
    """
    if delivery.kind.flow is not Flow.RETURN_TO_CLINIC:
        return None
    later = deliveries.later_versions(connection, delivery)
    return next((one for one in reversed(later) if _may_be_there(connection, one)), None)


def _may_be_there(connection: Connection, delivery: Delivery) -> bool:
    """False before the first grant, and for what was refused without a doubt."""
    if delivery.state in (DeliveryState.DELIVERED, DeliveryState.AMBIGUOUS) or delivery.is_ambiguous:
        return True
    return delivery.state is not DeliveryState.FAILED and deliveries.has_been_granted(connection, delivery.id)
