"""Which kind of event an action of the audit trail is, and by which IHE BALP profile it is told.

| action | type | subtype | action | profile (of a patient) |
| --- | --- | --- | --- | --- |
| fhir.read | rest | read | R | Read (PatientRead) |
| fhir.search | rest | search | E | Query (PatientQuery) |
| fhir.create | rest | create | C | Create (PatientCreate) |
| fhir.update | rest | update | U | Update (PatientUpdate) |
| egress.granted, read.granted | 110106 Export | disclose | R | (PrivacyDisclosure.Source) |
| egress.denied, read.denied | 110113 Security Alert | AuthZ-Consent | E | (AuthZconsent) |
| oauth.*, user.sign-in | 110114 User Authentication | 110122 Login | E | |
| user.sign-out | 110114 User Authentication | 110123 Logout | E | |
| dicom.denied | 110113 Security Alert | 110126 Node Authentication | E | |
| instance.* | 110104 DICOM Instances Transferred | | C | |
| audit.* | 110101 Audit Log Used | | R | |
| backup.* | iso-21089-lifecycle archive | | E | |
| page.view, *.show, *.shown, *.list | iso-21089-lifecycle access | | R | |
| fhir.refused | rest | | E | |
| *.denied, refusals.left-out | 110113 Security Alert | | E | |
| client, endpoint, clinic, reviewer, user, transfer | 110113 Security Alert | 110129 Security Configuration | U | |
| settings.changed | 110113 Security Alert | 110131 Software Configuration | U | |
| everything else | 110100 Application Activity | | E | |

https://profiles.ihe.net/ITI/BALP/, DICOM PS3.16 CID 400 and 401, https://hl7.org/fhir/R4/valueset-audit-event-type.html
"""

from dataclasses import dataclass

BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
ACTIONS_SYSTEM = "https://consilium.example/fhir/CodeSystem/audit-action"
"""Our own code of an action, `noun.verb`, as it stands in the trail."""

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_REST = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_AUTHORIZATION = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType"


@dataclass(frozen=True)
class Pattern:
    """How an action is told. `shape` says who its agents and entities are."""

    shape: str
    type_system: str
    type_code: str
    action: str
    subtypes: tuple[tuple[str, str], ...] = ()
    profile: str = ""
    patient_profile: str = ""


def _rest(interaction: str, action: str, profile: str) -> Pattern:
    subtypes = ((_INTERACTION, interaction),)
    return Pattern("rest", _REST, "rest", action, subtypes, f"{BALP}{profile}", f"{BALP}Patient{profile}")


_DISCLOSURE = Pattern(
    "disclosure",
    _DCM,
    "110106",
    "R",
    ((_LIFECYCLE, "disclose"),),
    patient_profile=f"{BALP}PrivacyDisclosure.Source",
)
_DECISION = Pattern(
    "consent", _DCM, "110113", "E", ((_AUTHORIZATION, "AuthZ-Consent"),), patient_profile=f"{BALP}AuthZconsent"
)
_CONFIGURATION = Pattern("plain", _DCM, "110113", "U", ((_DCM, "110129"),))
_LOGIN = Pattern("plain", _DCM, "110114", "E", ((_DCM, "110122"),))
_LOOK = Pattern("plain", _LIFECYCLE, "access", "R")

OF_ACTION = {
    "fhir.read": _rest("read", "R", "Read"),
    "fhir.search": _rest("search", "E", "Query"),
    "fhir.create": _rest("create", "C", "Create"),
    "fhir.update": _rest("update", "U", "Update"),
    "egress.granted": _DISCLOSURE,
    "read.granted": _DISCLOSURE,
    "egress.denied": _DECISION,
    "read.denied": _DECISION,
    "user.sign-in": _LOGIN,
    "user.sign-out": Pattern("plain", _DCM, "110114", "E", ((_DCM, "110123"),)),
    "page.view": _LOOK,
    "settings.changed": Pattern("plain", _DCM, "110113", "U", ((_DCM, "110131"),)),
    "fhir.refused": Pattern("plain", _REST, "rest", "E"),
    "refusals.left-out": Pattern("plain", _DCM, "110113", "E"),
    "dicom.denied": Pattern("plain", _DCM, "110113", "E", ((_DCM, "110126"),)),
}
OF_NOUN = {
    "oauth": _LOGIN,
    "instance": Pattern("plain", _DCM, "110104", "C"),
    "audit": Pattern("plain", _DCM, "110101", "R"),
    "backup": Pattern("plain", _LIFECYCLE, "archive", "E"),
} | dict.fromkeys(("client", "endpoint", "clinic", "reviewer", "user", "transfer"), _CONFIGURATION)
OF_VERB = {"denied": Pattern("plain", _DCM, "110113", "E")} | dict.fromkeys(("show", "shown", "list"), _LOOK)
ELSE = Pattern("plain", _DCM, "110100", "E")


def pattern_of(action: str) -> Pattern:
    """By the whole action, else its noun, else its verb."""
    noun, _, verb = action.partition(".")
    return OF_ACTION.get(action) or OF_NOUN.get(noun) or OF_VERB.get(verb) or ELSE
