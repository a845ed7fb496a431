"""Composition -> the eight sections of a report, without any identity but the pseudonym.

https://hl7.org/fhir/R4/composition.html

| FHIR path                  | becomes       | required | note                                                         |
| -------------------------- | ------------- | -------- | ------------------------------------------------------------ |
| Composition.status         | -             | yes      | final or amended                                             |
| Composition.type           | -             | yes      | LOINC 11488-4                                                |
| Composition.identifier     | -             | or link  | equal to one DiagnosticReport.identifier                     |
| Composition.subject        | pseudonym     | yes      | identifier of our pseudonym system; no reference, no display |
| Composition.date           | -             | yes      | with time and zone                                           |
| Composition.author.display | author        | 1..*     | joined with commas                                           |
| Composition.title          | -             | yes (R4) | the centre prints its own                                    |
| Composition.language       | language      | no       | en when neither resource says                                |
| Composition.section.code   | section.code  | yes      | the eight of SECTION_SYSTEM, each once, in any order         |
| Composition.section.title  | section.title | no       | the title of that code, when said                            |
| Composition.section.text   | section.html  | yes      | strict narrative, something to read in it                    |
| Composition.extension      | -             | no       | HL7 Europe link to the DiagnosticReport                      |

What has no place in this table or in ACCEPTED is refused, so that nothing a reviewer wrote is dropped without a word.
"""

from collections.abc import Collection
from typing import Any

from fhir_mappings.codes import CONSULT_NOTE, LOINC, PSEUDONYM_SYSTEM, codes_of
from fhir_mappings.narrative import check_narrative
from fhir_mappings.primitives import read_instant
from fhir_mappings.references import target_type
from gateway.domain.errors import Unprocessable
from gateway.domain.report import SECTION_SYSTEM, SECTION_TITLES, Section

ACCEPTED = frozenset(
    (
        "resourceType",
        "id",
        "meta",
        "language",
        "text",
        "extension",
        "identifier",
        "status",
        "type",
        "category",
        "subject",
        "date",
        "author",
        "title",
        "confidentiality",
        "attester",
        "custodian",
        "relatesTo",
        "section",
    )
)
_ACCEPTED_IN_SECTION = frozenset(("id", "title", "code", "text"))
_PATIENT_TYPES = ("Patient", "RelatedPerson", "Person")


def check_composition(composition: dict[str, Any]) -> None:
    """Do nothing when the valid Composition is one of a finished report under a pseudonym; its sections are read apart.

    Raises:
        Unprocessable: not as the table above asks for.
    """
    check_accepted(composition, ACCEPTED)
    check_no_patient(composition, "Composition")
    if composition["status"] not in ("final", "amended"):
        raise Unprocessable("the status has to be final or amended", at="Composition.status")
    if CONSULT_NOTE not in codes_of(composition["type"], LOINC):
        raise Unprocessable(f"the type has to be LOINC {CONSULT_NOTE}", at="Composition.type")
    read_instant(composition["date"], at="Composition.date")


def pseudonym_of(resource: dict[str, Any]) -> str:
    """The pseudonym under which a reviewer's resource speaks of the patient: an identifier and nothing beside it."""
    at = f"{resource['resourceType']}.subject"
    subject = resource.get("subject", {})
    identifier = subject.get("identifier", {})
    if set(subject) - {"identifier", "type"} or identifier.get("system") != PSEUDONYM_SYSTEM:
        raise Unprocessable(f"the subject is an identifier of {PSEUDONYM_SYSTEM} and nothing else", at=at)
    if not (pseudonym := str(identifier.get("value", "")).strip()):
        raise Unprocessable("the pseudonym has a value", at=f"{at}.identifier.value")
    return pseudonym


def author_of(composition: dict[str, Any]) -> str:
    """The names of the authors as they are to be printed."""
    names = [str(author.get("display", "")).strip() for author in composition["author"]]
    for index, name in enumerate(names):
        if not name:
            raise Unprocessable("the author has a display to print", at=f"Composition.author[{index}].display")
    return ", ".join(names)


def sections_of(composition: dict[str, Any]) -> tuple[Section, ...]:
    """The eight sections in the order of the document.

    Raises:
        Invalid: a narrative outside the strict subset.
        Unprocessable: a section missing, twice, unknown, empty, or with content that is not narrative.
    """
    found: dict[str, Section] = {}
    for index, part in enumerate(composition.get("section", [])):
        section = _section(part, f"Composition.section[{index}]")
        if section.code in found:
            raise Unprocessable("the section is there twice", at=f"Composition.section[{index}].code")
        found[section.code] = section
    if missing := [code for code in SECTION_TITLES if code not in found]:
        raise Unprocessable(f"sections are missing: {', '.join(missing)}", at="Composition.section")
    return tuple(found[code] for code in SECTION_TITLES)


def _section(part: dict[str, Any], at: str) -> Section:
    codes = [code for code in codes_of(part.get("code", {}), SECTION_SYSTEM) if code in SECTION_TITLES]
    if len(codes) != 1:
        raise Unprocessable(f"the section has exactly one code of {SECTION_SYSTEM}", at=f"{at}.code")
    if set(part) - _ACCEPTED_IN_SECTION:
        raise Unprocessable("a section has a code, a title and a text, and nothing else", at=at)
    title = SECTION_TITLES[codes[0]]
    if part.get("title", title) != title:
        raise Unprocessable(f"the title of this section is {title!r}", at=f"{at}.title")
    text = part.get("text", {})
    if not text or text.get("status") == "empty":
        raise Unprocessable("the section has a text", at=f"{at}.text")
    return Section(codes[0], title, check_narrative(text.get("div", ""), at=f"{at}.text.div"))


def check_accepted(resource: dict[str, Any], accepted: Collection[str]) -> None:
    """Refuse what the gateway would not carry on; `_name` companions of primitives are carried nowhere either."""
    for name in resource:
        if name not in accepted:
            raise Unprocessable("the gateway does not carry this element", at=f"{resource['resourceType']}.{name}")


def check_no_patient(value: Any, at: str) -> None:
    """Refuse any reference to a person on the patient's side, wherever in the resource it stands."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            check_no_patient(item, f"{at}[{index}]")
    elif isinstance(value, dict):
        if target_type(str(value.get("reference", ""))) in _PATIENT_TYPES:
            raise Unprocessable("a report names the patient by pseudonym alone", at=f"{at}.reference")
        for name, inner in value.items():
            check_no_patient(inner, f"{at}.{name}")
