"""Each row of the decision table becomes FHIR JSON, the mapping reads that, and the decision is asked.

What the keys mean is said at the top of decisions/world.toml.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from fhir_mappings.consent import consent_from_fhir
from fhir_mappings.consent_on_file import consent_on_file
from gateway.domain.consent import (
    AuthorityEnd,
    Coding,
    Consent,
    Decision,
    DisclosureRequest,
    Item,
    Look,
    NamedResource,
    Recipient,
    TransferInstrument,
    TransferKind,
    decide,
)
from gateway.domain.consent.naming import resources_named, with_resources
from gateway.domain.delivery import Flow
from gateway.domain.errors import Invalid
from gateway.domain.party import Identifier
from tests.unit.gateway.domain.consent.table import ROWS, WORLD, Notation

_POLICIES: dict[str, Notation] = {
    "disclose": {"policy": [{"uri": "https://consilium.example/fhir/policy/disclose-to-reviewer"}]},
    "return": {"policy": [{"uri": "https://consilium.example/fhir/policy/return-to-clinic"}]},
    "pcf": {"policy": [{"uri": "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal"}]},
    "pcf-all": {"policy": [{"uri": "https://profiles.ihe.net/ITI/PCF/Policy-all-normal"}]},
    "law": {"policy": [{"uri": "https://example.org/law/6698"}]},
    "optin": {"policyRule": {"coding": [{"system": WORLD["systems"]["act"], "code": "OPTIN"}]}},
    "optout": {"policyRule": {"coding": [{"system": WORLD["systems"]["act"], "code": "OPTOUT"}]}},
}
_TYPES = {"permit": "permit", "deny": "deny", "within": None}
_CODINGS = ("codes", "mentions", "labels")
_CODED = {"for": ("purpose", "purpose"), "class": ("class", "types"), "label": ("securityLabel", "confidentiality")}


@dataclass(frozen=True)
class Row:
    """One decision that is expected."""

    name: str
    notation: Notation

    @property
    def consents(self) -> list[Consent]:
        """As the mapping reads them. Raises Invalid where it refuses one."""
        return [_consent(one, number) for number, one in enumerate(self.notation["consents"], start=1)]

    @property
    def request(self) -> DisclosureRequest:
        """What is asked."""
        return _request(WORLD["request"] | self.notation.get("request", {}))

    def decided(self) -> Decision:
        """What the decision says."""
        return decide(self.consents, self.request)

    def check(self) -> None:
        """Raise AssertionError where the decision is another one than the row says."""
        expected = self.notation
        if expected["outcome"] == "refused":
            assert (expected["at"], True) == self._refusal(), self.name
            return
        decision = self.decided()
        until = decision.valid_until.astimezone(self.request.zone).isoformat() if decision.valid_until else ""
        found = (decision.outcome, [one.id for one in decision.consents], until)
        wanted = (expected["outcome"], expected.get("used", ["c1"]), expected.get("until", ""))
        assert found == wanted, (self.name, decision.reasons)
        assert expected["says"] in " ".join(decision.reasons), (self.name, decision.reasons)
        assert not expected.get("alone") or decision.reasons == (expected["says"],), (self.name, decision.reasons)
        assert decision.payload_sha256 == self.request.payload_sha256, self.name

    def _refusal(self) -> tuple[str, bool]:
        """For which element the consents are refused, and whether with the words that the row says."""
        try:
            _ = self.consents
        except Invalid as refusal:
            return refusal.at, self.notation["says"] in str(refusal)
        return "", False


_ENDS = (("authority_withdrawn", True), ("authority_ran_out", False))


def rows() -> list[Row]:
    """All of the table, in the order of files and lines."""
    return [Row(name, notation) for name, notation in ROWS]


def _consent(given: Notation, number: int) -> Consent:
    facts: Notation = {"is_signed": given.get("signed", False), "is_authority_recorded": given.get("authority", False)}
    facts["supersedes"] = frozenset(given.get("supersedes", ()))
    facts["stored_at"] = datetime.fromisoformat(given["stored"]) if "stored" in given else None
    resource, version = given.get("whole") or _resource(given), given.get("version", 1)
    read: Callable[..., Consent] = consent_from_fhir
    if given.get("on_file", False):
        read = consent_on_file
        del facts["is_authority_recorded"]
    consent = read(resource, id=given.get("id", f"c{number}"), version=version, **facts)
    carried = _named(given)
    known = {one: carried[one] for one in resources_named(consent) if one in carried}
    return replace(with_resources(consent, known), authority_end=_authority_end(given))


def _named(given: Notation) -> dict[str, NamedResource]:
    """What the clinic's resources say of who they are, by reference."""
    carried = WORLD["carried"] | given.get("now", {})
    now = {one: _look(numbers) for one, numbers in carried.items()}
    then = {one: _look(numbers) for one, numbers in given.get("then", {}).items()}
    return {one: NamedResource(then.get(one, look), look) for one, look in now.items()}


def _look(numbers: list[str]) -> Look:
    known = [one for one in numbers if one != "inactive"]
    return Look(1, _identifiers(known), is_active=known == numbers)


def _authority_end(given: Notation) -> AuthorityEnd | None:
    ends = [
        AuthorityEnd(datetime.fromisoformat(given[key]), is_withdrawn) for key, is_withdrawn in _ENDS if key in given
    ]
    return ends[0] if ends else None


def _resource(given: Notation) -> Notation:
    forms = [_POLICIES[name] for name in given.get("form", "disclose").split()]
    policies = [uri for form in forms for uri in form.get("policy", ())]
    resource: Notation = {key: value for form in forms for key, value in form.items()}
    resource |= {"policy": policies} if policies else {}
    resource |= {
        "resourceType": "Consent",
        "status": given.get("status", "active"),
        "scope": {"coding": [_coding(given.get("scope", "patient-privacy"), "scope")]},
        "category": [{"text": "consent"}],
        "patient": WORLD["patients"][given.get("patient", "p1")],
    }
    if given.get("paper", True):
        resource["sourceReference"] = {"reference": "DocumentReference/form"}
    if dated := given.get("dated", "2026-03-01"):
        resource["dateTime"] = dated
    if "by" in given:
        resource["performer"] = [WORLD["patients"][name] for name in given["by"].split()]
    if "number" in given:
        resource["identifier"] = [{"system": "urn:form", "value": one} for one in given["number"].split()]
    if rule := given.get("rule", WORLD["rule"]):
        resource["provision"] = _provision(rule)
    resource |= given.get("fhir", {})
    return resource


def _provision(given: Notation) -> Notation:
    (kind,) = _TYPES.keys() & given.keys()
    found: Notation = {"type": _TYPES[kind]} if _TYPES[kind] else {}
    if given[kind]:
        found["actor"] = [_actor(name) for name in given[kind].split()]
    for key, (element, system) in _CODED.items():
        if key in given:
            found[element] = [_coding(one, system) for one in given[key].split()]
    if "do" in given:
        found["action"] = [{"coding": [_coding(one, "action")]} for one in given["do"].split()]
    if "code" in given:
        concepts = given["code"].split()
        found["code"] = [{"coding": [_coding(one, "loinc") for one in concept.split("=")]} for concept in concepts]
    if "data" in given:
        references = given["data"].split()
        found["data"] = [{"meaning": "instance", "reference": {"reference": one}} for one in references]
    for element, start, end in (("period", "from", "until"), ("dataPeriod", "dated_from", "dated_until")):
        bounds = {name: given[key] for name, key in (("start", start), ("end", end)) if key in given}
        found |= {element: bounds} if bounds else {}
    if "but" in given:
        found["provision"] = [_provision(one) for one in given["but"]]
    found |= given.get("fhir", {})
    return found


def _actor(name: str) -> Notation:
    role = {"coding": [{"system": WORLD["systems"]["participation"], "code": "IRCP"}]}
    return {"role": role, "reference": WORLD["named"][name]}


def _coding(text: str, system: str) -> Notation:
    alias, _, code = text.rpartition("|")
    return {"system": WORLD["systems"].get(alias or system, alias), "code": code}


def _request(given: Notation) -> DisclosureRequest:
    return DisclosureRequest(
        flow=Flow(given["flow"]),
        patient_references=frozenset(given["patient"]),
        patient_identifiers=_identifiers(given["patient_numbers"]),
        recipient=_recipient(WORLD["recipients"][given["to"]] | given.get("recipient", {})),
        items=tuple(_item(name) for name in given["items"]),
        now=datetime.fromisoformat(given["at"]),
        zone=ZoneInfo(given["zone"]),
        payload_sha256=given["payload"],
        custodian_country=given["custodian"],
        transfer_instruments=tuple(_instrument(one, at) for at, one in enumerate(given["instruments"], start=1)),
    )


def _recipient(given: Notation) -> Recipient:
    return Recipient(
        identifiers=_identifiers(given.get("numbers", ())),
        references=frozenset(given.get("references", ())),
        country=given["country"],
        organization_identifiers=_identifiers(given.get("organization_numbers", ())),
        organization_references=frozenset(given.get("organization_references", ())),
    )


def _item(name: str) -> Item:
    given = WORLD["items"][name]
    codings = {key: [_coding(one, "loinc") for one in given.get(key, "").split()] for key in _CODINGS}
    sets = {key: frozenset(Coding(one["system"], one["code"]) for one in found) for key, found in codings.items()}
    day = date.fromisoformat(given["date"]) if "date" in given else None
    references = frozenset(given.get("references", ()))
    return Item(given["id"], given["class"], date=day, references=references, **sets)


def _instrument(given: Notation, number: int) -> TransferInstrument:
    begin, end = (datetime.fromisoformat(given[key]) if key in given else None for key in ("from", "until"))
    return TransferInstrument(given.get("id", f"t{number}"), TransferKind(given["kind"]), "no. 7", begin, end)


def _identifiers(given: list[str]) -> frozenset[Identifier]:
    return frozenset(Identifier(*one.split("|")) for one in given)
