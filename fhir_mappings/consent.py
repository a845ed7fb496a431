"""FHIR R4 Consent -> domain Consent (https://hl7.org/fhir/R4/consent.html); what cannot be decided on is refused.

| FHIR path | source | required | note |
| --- | --- | --- | --- |
| status | clinic | yes | only `active` counts; any other is read as far as it can be: a revocation passes |
| scope | clinic | yes | `patient-privacy` counts; the other codes of consentscope are kept and ignored; else 422 |
| category | clinic | yes | present; not decided on |
| patient | clinic | yes | Patient/id of this server, checked where it is stored; an identifier beside it is compared |
| identifier | clinic | no | one Consent of the clinic has it, a second is 409; the decision guards itself (`standing`) |
| dateTime | clinic | no | permits nothing before it |
| performer | clinic | no | neither the patient nor a grantee (`organization`, the recipients): a representative |
| organization | clinic | no | a grantee; else not decided on: the custodian is the party that owns the case |
| source[x] | clinic | no | the signed document (`fhir_mappings.consent_source`); without it and a signature no permit |
| policy.uri, policyRule | clinic | one known | our form of a flow, IHE PCF, OPTIN, OPTOUT; whatever else is refused |
| policy.authority | clinic | no | not decided on: the policy is known by its URI |
| verification | clinic | no | `verified` false: 422 |
| provision | clinic | no | see `fhir_mappings.consent_provision` |
| implicitRules, modifierExtension, contained | - | - | 422 |
| extension, also of primitives | - | - | 422 in what is decided on (`fhir_mappings.consent_reading`) |
| text, language, meta, extension of the Consent | clinic | no | kept, not decided on; an extension that holds R5: 422 |
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from fhir_mappings.consent_elements import identifiers, moment, objects, party, refuse_words, single
from fhir_mappings.consent_parties import is_same_party, performers
from fhir_mappings.consent_provision import read_provision
from fhir_mappings.consent_reading import CONSENT, POLICY, VERIFICATION, check_elements, refuse_extensions
from fhir_mappings.consent_source import has_source
from fhir_mappings.references import target_type
from gateway.domain.consent import Coding, Consent, Effect, PartyReference, Policy, PolicyRule, Provision
from gateway.domain.consent.vocabulary import ACT_CODE, CONSENT_SCOPE, FLOW_POLICIES, PATIENT_PRIVACY, PCF_POLICIES
from gateway.domain.errors import Invalid, Unprocessable

_STATUSES = frozenset({"draft", "proposed", "active", "rejected", "inactive", "entered-in-error"})
_OTHER_SCOPES = frozenset({"adr", "research", "treatment"})
_GRANTEES = frozenset({"Organization", "Practitioner", "PractitionerRole"})
"""Consent.performer is the grantor or the grantee; nobody else can be the grantee."""


def consent_from_fhir(
    resource: dict[str, Any],
    *,
    id: str,
    version: int,
    stored_at: datetime | None = None,
    is_signed: bool = False,
    is_authority_recorded: bool = False,
    supersedes: frozenset[str] = frozenset(),
) -> Consent:
    """One version of a Consent as the decision reads it.

    `stored_at` (since when it is on file), `is_signed` (by a Provenance), `is_authority_recorded` (a person checked the
    representative) and `supersedes` (ids, by a Provenance of revision) are not in the resource. Success does not mean
    that the consent permits anything.

    Raises:
        Invalid: it is not a Consent of R4.
        Unprocessable: it is, and says something that the decision cannot evaluate; the message says what to send.
    """
    status, scope = status_of(resource), scope_of(resource)
    policy, patient = _policy(resource), patient_of(resource)
    read_rules = _decided_provision if status == "active" else _legible_provision
    provision = read_rules(resource, policy) if Coding(CONSENT_SCOPE, PATIENT_PRIVACY) in scope else None
    return Consent(
        id=id,
        version=version,
        patient=patient,
        status=status,
        scope=scope,
        policy=policy,
        has_signature_or_source=is_signed or has_source(resource),
        identifiers=identifiers(resource, "Consent"),
        date_time=moment(resource.get("dateTime"), "Consent.dateTime"),
        provision=provision,
        supersedes=supersedes,
        is_by_representative=_is_by_representative(resource, patient, provision),
        is_authority_recorded=is_authority_recorded,
        stored_at=stored_at,
    )


def status_of(resource: dict[str, Any]) -> str:
    """Raises Invalid."""
    if resource.get("resourceType") != "Consent":
        raise Invalid("a Consent is needed", at="resourceType")
    status = resource.get("status")
    if status not in _STATUSES:
        raise Invalid(f"the code has to be one of: {', '.join(sorted(_STATUSES))}", at="Consent.status")
    return str(status)


def scope_of(resource: dict[str, Any]) -> frozenset[Coding]:
    """Raises Invalid, and Unprocessable for an active one of none that is known."""
    at = "Consent.scope"
    found = single(resource, "scope", at)
    objects(resource, "category", "Consent", is_required=True)
    codings = frozenset(
        Coding(str(one.get("system", "")), str(one.get("code", ""))) for _, one in objects(found, "coding", at)
    )
    known = {Coding(CONSENT_SCOPE, code) for code in (PATIENT_PRIVACY, *_OTHER_SCOPES)}
    if resource["status"] == "active" and not codings & known:
        raise Unprocessable(f"the scope is not known; send {CONSENT_SCOPE}#{PATIENT_PRIVACY}", at=at)
    return codings


def patient_of(resource: dict[str, Any]) -> PartyReference:
    """Raises Invalid, and Unprocessable where nobody is named."""
    found = party(single(resource, "patient", "Consent.patient"), "Consent.patient")
    if found == PartyReference():
        raise Unprocessable("name the patient as Patient/id of this server", at="Consent.patient")
    return found


def policy_of(resource: dict[str, Any]) -> Policy:
    """Under which policy it was given. Raises Invalid, and Unprocessable where something may limit or change that."""
    _refuse_unread(resource)
    found = _policy(resource)
    _refuse_unknown(found)
    _refuse_unknown_beside(resource)
    return found


def _policy(resource: dict[str, Any]) -> Policy:
    uris = [str(one.get("uri", "")) for _, one in objects(resource, "policy", "Consent")]
    if "policyRule" not in resource and not uris:
        raise Invalid("a policy or a policyRule is needed (invariant ppc-1)", at="Consent")
    return Policy(
        rule=_policy_rule(resource) if "policyRule" in resource else None,
        flows=frozenset(FLOW_POLICIES[uri] for uri in uris if uri in FLOW_POLICIES),
        is_root_decisive=bool(PCF_POLICIES.intersection(uris)),
    )


def _policy_rule(resource: dict[str, Any]) -> PolicyRule:
    at = "Consent.policyRule"
    codings = [one for _, one in objects(single(resource, "policyRule", at), "coding", at)]
    codes = {one.get("code") for one in codings if one.get("system") == ACT_CODE}
    known = [rule for rule in (PolicyRule.OPTIN, PolicyRule.OPTOUT) if rule in codes]
    is_alone = all(one.get("system") == ACT_CODE for one in codings) and len(codes) == 1
    return known[0] if known and is_alone else PolicyRule.OTHER


def _refuse_unread(resource: dict[str, Any]) -> None:
    check_elements(resource, CONSENT, "Consent")
    refuse_extensions(resource)
    for name, reading in (("policy", POLICY), ("verification", VERIFICATION)):
        for at, one in objects(resource, name, "Consent"):
            check_elements(one, reading, at)
    for at, one in objects(resource, "verification", "Consent"):
        if one.get("verified") is not True:
            raise Unprocessable("an active consent is not unverified; send it as proposed until it is", at=at)


def _refuse_unknown(policy: Policy) -> None:
    if policy.rule is PolicyRule.OTHER:
        remedy = f"send {ACT_CODE}#OPTIN or #OPTOUT and no other coding"
        raise Unprocessable(f"the rule is not known, or not alone; {remedy}", at="Consent.policyRule")
    if not policy.is_known:
        remedy = f"send a policyRule OPTIN or OPTOUT or one of: {', '.join((*FLOW_POLICIES, *sorted(PCF_POLICIES)))}"
        raise Unprocessable(f"no policy is known; {remedy}", at="Consent.policy")


def _refuse_unknown_beside(resource: dict[str, Any]) -> None:
    """A policy that is not known, or words beside the rule, might limit what the known one says."""
    if "policyRule" in resource:
        refuse_words(resource["policyRule"], "Consent.policyRule")
    for at, one in objects(resource, "policy", "Consent"):
        if "uri" in one and one["uri"] not in FLOW_POLICIES and one["uri"] not in PCF_POLICIES:
            remedy = "leave it out, or name the law as its authority"
            raise Unprocessable(f"the policy is not known, and might limit what is agreed to; {remedy}", at=f"{at}.uri")


def _decided_provision(resource: dict[str, Any], policy: Policy) -> Provision | None:
    _refuse_unread(resource)
    _refuse_unknown(policy)
    _refuse_unknown_beside(resource)
    return _provision(resource, policy)


def _legible_provision(resource: dict[str, Any], policy: Policy) -> Provision | None:
    """Of a consent that permits nothing now, to tell people whom it spoke of; none where it cannot be read."""
    try:
        return _provision(resource, policy)
    except Invalid:
        return None


def _provision(resource: dict[str, Any], policy: Policy) -> Provision | None:
    at = "Consent.provision"
    if "provision" not in resource:
        return None
    by_rule = {PolicyRule.OPTIN: Effect.PERMIT, PolicyRule.OPTOUT: Effect.DENY}.get(policy.rule or PolicyRule.OTHER)
    root = read_provision(single(resource, "provision", at), at, implied=by_rule)
    if policy.rule is PolicyRule.OPTOUT and root.type is Effect.PERMIT:
        raise Unprocessable("OPTOUT denies and the root permits; nest the permit in a provision", at=f"{at}.type")
    if policy.rule is PolicyRule.OPTOUT and root.type is None and _is_narrowed(root):
        raise Unprocessable(
            "what OPTOUT does not deny goes into a nested provision of type permit; for a narrow denial send type deny",
            at=at,
        )
    is_pcf_alone = policy.is_root_decisive and not policy.rule and not policy.flows
    if is_pcf_alone and root.type is None:
        raise Unprocessable("under a policy of IHE PCF the root needs a type: permit or deny", at=f"{at}.type")
    return root


def _is_narrowed(root: Provision) -> bool:
    named = (root.recipients, root.purposes, root.actions, root.classes, root.codes, root.data, root.labels)
    return any(named) or root.data_period is not None


def _is_by_representative(resource: dict[str, Any], patient: PartyReference, provision: Provision | None) -> bool:
    """R4: the performer is the grantor or the grantee. Whoever is neither the patient nor named as a grantee gave it."""
    named = performers(resource)
    if any(is_same_party(one, patient) for one in named):
        return False
    organizations = [party(one, at) for at, one in objects(resource, "organization", "Consent")]
    grantees = (*organizations, *(_recipients(provision) if provision else ()))
    pairs = zip(resource.get("performer", ()), named, strict=True)
    return not all(_may_be_given_to(one) and any(is_same_party(who, to) for to in grantees) for one, who in pairs)


def _may_be_given_to(performer: dict[str, Any]) -> bool:
    return (target_type(str(performer.get("reference", ""))) or str(performer.get("type"))) in _GRANTEES


def _recipients(provision: Provision) -> Iterator[PartyReference]:
    yield from provision.recipients
    for inner in provision.provisions:
        yield from _recipients(inner)
