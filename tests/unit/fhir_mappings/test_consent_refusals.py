"""What the mapping refuses, at which element, and what it says to send instead."""

import pytest

from gateway.domain.errors import Invalid, Unprocessable
from tests.unit.fhir_mappings.consent_changes import (
    CHILD,
    ROOT,
    Change,
    at_root,
    changed,
    nested,
    read,
    top,
    without,
)
from tests.unit.fhir_mappings.consent_examples import (
    Resource,
    concept,
    disclose_consent,
)


@pytest.mark.parametrize(
    ("change", "at"),
    [
        (top(resourceType="Contract"), "resourceType"),
        (top(status="on"), "Consent.status"),
        (without("status"), "Consent.status"),
        (without("scope"), "Consent.scope"),
        (without("category"), "Consent.category"),
        (top(category=[]), "Consent.category"),
        (without("patient"), "Consent.patient"),
        (top(patient="Patient/p1"), "Consent.patient"),
        (top(patient={"reference": 7}), "Consent.patient.reference"),
        (top(identifier={"value": "1"}), "Consent.identifier"),
        (top(identifier=[{"system": "urn:x", "value": 1}]), "Consent.identifier[0]"),
        (without("policy"), "Consent"),
        (top(dateTime="yesterday"), "Consent.dateTime"),
        (top(dateTime=2026), "Consent.dateTime"),
        (top(decision="permit"), "Consent.decision"),
        (top(provision=[{"actor": []}]), "Consent.provision"),
        (top(provision={}), "Consent.provision"),
        (at_root(type="allow"), f"{ROOT}.type"),
        (at_root(kind="x"), f"{ROOT}.kind"),
        (at_root(period={}), f"{ROOT}.period"),
        (at_root(period={"id": "x"}), f"{ROOT}.period"),
        (at_root(period={"end": "2026-02-30"}), f"{ROOT}.period.end"),
        (at_root(period={"start": "2026-03-31T10:00:00"}), f"{ROOT}.period.start"),
        (at_root(period={"start": "2026-04", "end": "2026-03-31"}), f"{ROOT}.period"),
        (
            at_root(period={"start": "2026-04-01T10:00:00Z", "end": "2026-04-01T09:00:00Z"}),
            f"{ROOT}.period",
        ),
        (nested(type=None), f"{CHILD}.type"),
        (nested(actor={}), f"{CHILD}.actor"),
        (nested(actor=[{"reference": {"reference": "Organization/1"}}]), f"{CHILD}.actor[0].role"),
        (nested(actor=[{"role": concept("v3-ParticipationType", "IRCP")}]), f"{CHILD}.actor[0].reference"),
        (nested(provision=[]), f"{CHILD}.provision"),
        (nested(action=["disclose"]), f"{CHILD}.action"),
        (nested(dataPeriod={"start": "soon"}), f"{CHILD}.dataPeriod.start"),
    ],
)
def test_what_is_not_r4_is_invalid(change: Change, at: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read(changed(change))
    assert not isinstance(refusal.value, Unprocessable)
    assert refusal.value.at == at


def test_no_message_quotes_the_patient() -> None:
    with pytest.raises(Unprocessable) as refusal:
        read(changed(top(patient={"display": "Ayşe Öztürk"})))
    assert "Ayşe" not in str(refusal.value)


@pytest.mark.parametrize(("levels", "is_read"), [(8, True), (9, False), (900, False)])
def test_how_deep_provisions_nest(levels: int, is_read: bool) -> None:
    provision: Resource = {"type": "permit"}
    for _ in range(levels - 1):
        provision = {"type": "permit", "provision": [provision]}
    resource = disclose_consent() | {"provision": {"provision": [provision]}}
    if is_read:
        assert read(resource).provision is not None
        return
    with pytest.raises(Unprocessable, match="flatten"):
        read(resource)
