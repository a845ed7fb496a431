"""A row of the audit trail -> AuditEvent.

https://hl7.org/fhir/R4/auditevent.html, https://profiles.ihe.net/ITI/BALP/

| FHIR path | source | required | note |
| --- | --- | --- | --- |
| id | event_id | yes | made of record.id, which is not shown |
| meta.profile | PATTERNS | no | the IHE BALP profile, where the row says all that the profile demands |
| type, subtype, action | PATTERNS, by record.action | yes | our own code of the action is the last subtype |
| recorded | record.at | yes | UTC |
| outcome | record.outcome | yes | 0 success or waiting, 4 failure, 8 denied |
| outcomeDesc | details.reasons | no | of a denial |
| purposeOfEvent | details.purposes | no | v3-ActReason |
| agent | record.actor, details.address, .to | yes | who asked, this gateway, a recipient; altId is the actor |
| source | site | yes | this gateway |
| entity (patient) | record.patient_id | no | Patient/id of this server |
| entity (data) | record.subject, other details | no | ids and codes as details, and reasons as typed |
| entity (query) | record.subject, details.by | search | type and names of parameters: values are not kept |
| entity (consent) | details.consents | no | Consent/id/_history/version |
"""

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC
from ipaddress import ip_network
from typing import Any

from fhir_mappings.audit_patterns import ACTIONS_SYSTEM, Pattern, pattern_of
from fhir_mappings.literal_references import local_target
from gateway.domain.audit_record import AuditRecord

ACTOR_SYSTEM = "https://consilium.example/fhir/sid/actor"
"""Identifier system of who acts: a client's id, `user:` or `cli:` and a name, or a part of the gateway."""

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_SOURCE, _DESTINATION, _APPLICATION = "110153", "110152", "110150"
_PURPOSES = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_ENTITY_TYPES = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLES = "http://terminology.hl7.org/CodeSystem/object-role"
_OUTCOMES = {"failure": "4", "denied": "8"}
_MACHINE, _IP_ADDRESS, _URI = "1", "2", "5"

_IN_ENTITIES = frozenset(("address", "by", "consents", "purposes", "reasons"))
"""Details that stand elsewhere than in the details of the data."""
_UNTOLD = _IN_ENTITIES | {"digests"}
"""Also those by which the gateway compares, and which tell others nothing."""


@dataclass(frozen=True)
class Site:
    """This gateway as the events name it: its FHIR base URL, else its host."""

    name: str


def audit_event_to_fhir(record: AuditRecord, site: Site, event_id: str) -> dict[str, Any]:
    """The R4 AuditEvent of one row; the same row gives the same resource."""
    pattern = pattern_of(record.action)
    event: dict[str, Any] = {"resourceType": "AuditEvent", "id": event_id}
    if profile := _profile(record, pattern):
        event["meta"] = {"profile": [profile]}
    event |= {
        "type": {"system": pattern.type_system, "code": pattern.type_code},
        "subtype": [
            *({"system": system, "code": code} for system, code in pattern.subtypes),
            {"system": ACTIONS_SYSTEM, "code": record.action},
        ],
        "action": pattern.action,
        "recorded": record.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": _OUTCOMES.get(record.outcome, "0"),
    }
    if reasons := record.listed("reasons"):
        event["outcomeDesc"] = " ".join(reasons)
    if purposes := record.listed("purposes"):
        event["purposeOfEvent"] = [{"coding": [{"system": _PURPOSES, "code": code}]} for code in purposes]
    event["agent"] = _agents(record, pattern, site)
    event["source"] = {"site": site.name, "observer": {"display": site.name}}
    if entities := _entities(record, pattern):
        event["entity"] = entities
    return event


def _profile(record: AuditRecord, pattern: Pattern) -> str:
    """BALP wants the network of both sides, and of a patient's event the patient."""
    profile = pattern.patient_profile if record.patient_id else pattern.profile
    is_known = {
        "rest": bool(record.told("address")) and record.outcome == "success",
        "disclosure": bool(record.told("address") and record.subject),
        "consent": bool(record.listed("consents")),
    }
    return profile if is_known.get(pattern.shape, False) else ""


def _agents(record: AuditRecord, pattern: Pattern, site: Site) -> list[dict[str, Any]]:
    us = {"display": site.name}
    if pattern.shape == "rest":
        asking, answering = (_DESTINATION, _SOURCE) if pattern.action == "R" else (_SOURCE, _DESTINATION)
        client = _agent(_DCM, asking, _actor(record), is_requestor=True) | _network(record.told("address"))
        return [client, _agent(_DCM, answering, us) | _network(site.name)]
    if pattern.shape == "disclosure":
        recipient = {"display": record.told("to") or record.actor}
        source = _agent(_DCM, _SOURCE, us, is_requestor=True) | _network(site.name)
        return [source, _agent(_DCM, _DESTINATION, recipient) | _network(record.told("address"))]
    if pattern.shape == "consent":
        recipient = {"display": record.told("to") or record.actor}
        return [
            _agent(_DCM, _APPLICATION, us) | _network(site.name),
            _agent("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP", recipient, is_requestor=True),
            _agent("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV", recipient),
            _agent("http://terminology.hl7.org/CodeSystem/extra-security-role-type", "authserver", us),
        ]
    return [_agent(_DCM, _APPLICATION, _actor(record), is_requestor=True) | _network(record.told("address"))]


def _agent(system: str, code: str, who: dict[str, Any], *, is_requestor: bool = False) -> dict[str, Any]:
    agent = {"type": {"coding": [{"system": system, "code": code}]}, "who": who, "requestor": is_requestor}
    return agent | ({"altId": who["identifier"]["value"]} if "identifier" in who else {})


def _actor(record: AuditRecord) -> dict[str, Any]:
    return {"identifier": {"system": ACTOR_SYSTEM, "value": record.actor}}


def _network(address: str) -> dict[str, Any]:
    return {"network": {"address": address, "type": _network_type(address)}} if address else {}


def _network_type(address: str) -> str:
    """https://hl7.org/fhir/R4/valueset-network-type.html; a network of IPv6 stands for the address in it."""
    try:
        ip_network(address, strict=False)
    except ValueError:
        return _URI if "://" in address else _MACHINE
    return _IP_ADDRESS


def _entities(record: AuditRecord, pattern: Pattern) -> list[dict[str, Any]]:
    """A decision on consent has patient and consents and nothing else, as its profile says."""
    entities = []
    if record.patient_id:
        patient = {"what": {"reference": f"Patient/{record.patient_id}"}}
        entities.append(patient | _kind(_ENTITY_TYPES, "1") | {"role": {"system": _ROLES, "code": "1"}})
    if pattern.action == "E" and pattern.shape == "rest":
        entities.append(_query(record))
    elif pattern.shape != "consent" and record.subject:
        entities.append(_data(record))
    for consent in record.listed("consents"):
        consent_id, _, version = consent.partition("/")
        reference = f"Consent/{consent_id}" + (f"/_history/{version}" if version else "")
        entities.append({"what": {"reference": reference}} | _kind("http://hl7.org/fhir/resource-types", "Consent"))
    return entities


def _query(record: AuditRecord) -> dict[str, Any]:
    """What was searched for, by the names of the parameters."""
    asked = f"{record.subject.partition('/')[0]}?{'&'.join(record.listed('by'))}"
    found = {"description": asked, "query": b64encode(asked.encode()).decode()}
    return _kind(_ENTITY_TYPES, "2") | {"role": {"system": _ROLES, "code": "24"}} | found


def _data(record: AuditRecord) -> dict[str, Any]:
    is_here = local_target(record.subject) is not None
    what = {"reference": record.subject} if is_here else {"identifier": {"value": record.subject}}
    data = {"what": what} | _kind(_ENTITY_TYPES, "2") | {"role": {"system": _ROLES, "code": "4"}}
    told = [(name, _text(value)) for name, value in sorted(record.details.items()) if name not in _UNTOLD]
    details = [{"type": name, "valueString": text} for name, text in told if text]
    return data | ({"detail": details} if details else {})


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def _kind(system: str, code: str) -> dict[str, Any]:
    return {"type": {"system": system, "code": code}}
