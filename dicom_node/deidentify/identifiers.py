"""Values that must not survive: what the caller knows of the patient, and what the object itself says of people.

Each identifier becomes a few forms to search for. Persons: the whole name in either order, and parts of at least three
letters - every part of the patient's own names, the family name of anybody else. Numbers and institutions: the whole.
Forms of six characters and more are found inside longer words, shorter ones as whole words only; a run of digits must
not be part of a longer run, and one shorter than six digits must be the whole value. Under three characters: ignored.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.domain.identity import fold_letters

_BETWEEN_WORDS: Final = re.compile(r"(?:[^\w\x1f]|_)+")
SEPARATOR: Final = "\x1f"
"""Parts values when several are folded at once; never inside a form."""

_SHORTEST: Final = 3
_LONG: Final = 6
_PLACEHOLDERS: Final = frozenset(
    (
        *("anonymous", "anonymized", "anonymised", "anonym", "anon", "unknown", "unbekannt", "bilinmeyen"),
        *("none", "null", "removed", "name", "patient", "prof", "med", "phd"),  # and titles
    )
)
_DATE: Final = re.compile(r"(\d{4})(\d{2})(\d{2})")


class Kind(StrEnum):
    """What an identifier says, named in findings instead of its value."""

    PATIENT = "patient-name"
    PERSON = "person-name"
    NUMBER = "identifier"
    INSTITUTION = "institution"
    BIRTH_DATE = "birth-date"
    KNOWN = "known-identifier"


@dataclass(frozen=True)
class Identifier:
    """One value that must not survive."""

    kind: Kind
    text: str


KIND_BY_TAG: Final = {
    0x00080050: Kind.NUMBER,  # Accession Number
    0x00080080: Kind.INSTITUTION,
    0x00080081: Kind.INSTITUTION,  # its address
    0x00100020: Kind.NUMBER,  # Patient ID
    0x00100030: Kind.BIRTH_DATE,
    0x00101000: Kind.NUMBER,  # Other Patient IDs
    0x00101040: Kind.NUMBER,  # Patient's Address
    0x00101090: Kind.NUMBER,  # Medical Record Locator
    0x00102154: Kind.NUMBER,  # Patient's Telephone Numbers
    0x00120040: Kind.NUMBER,  # Clinical Trial Subject ID
    0x00380010: Kind.NUMBER,  # Admission ID
    0x00380060: Kind.NUMBER,  # Service Episode ID
    0x0040050A: Kind.NUMBER,  # Specimen Accession Number
    0x00400512: Kind.NUMBER,  # Container Identifier
    0x00400551: Kind.NUMBER,  # Specimen Identifier
    0x00402016: Kind.NUMBER,  # Placer Order Number
    0x00402017: Kind.NUMBER,  # Filler Order Number
}
"""Attributes whose values are looked for elsewhere; every PN is too. Short step and study numbers are not."""


def kind_of(tag: int, vr: str) -> Kind | None:
    """What the value of an attribute identifies, if anything."""
    if vr == "PN":
        return Kind.PATIENT if tag >> 16 == 0x0010 else Kind.PERSON
    return KIND_BY_TAG.get(tag)


def fold_text(text: str) -> str:
    """Folded letters without punctuation, one space before, between and after words; SEPARATOR stays."""
    return f" {_BETWEEN_WORDS.sub(' ', fold_letters(text)).strip()} ".replace(SEPARATOR, f" {SEPARATOR} ")


def forms_of(identifier: Identifier) -> Iterable[str]:
    """The folded forms of an identifier, words parted by one space, without placeholders and too short ones."""
    for value in identifier.text.split("\\"):
        if identifier.kind in (Kind.PATIENT, Kind.PERSON) or (identifier.kind is Kind.KNOWN and "^" in value):
            forms = _forms_of_person(value, is_every_part=identifier.kind is not Kind.PERSON)
        elif identifier.kind is Kind.BIRTH_DATE:
            forms = _forms_of_date(value)
        else:
            forms = [fold_text(value).strip()]
        yield from (form for form in forms if len(form.replace(" ", "")) >= _SHORTEST and form not in _PLACEHOLDERS)


def _forms_of_person(value: str, *, is_every_part: bool) -> list[str]:
    forms = []
    for group in value.split("="):  # alphabetic, ideographic, phonetic: PS3.5 6.2.1
        parts = [fold_text(part).split() for part in group.split("^")]
        words = [word for part in parts for word in part]
        alone = words if is_every_part else parts[0]
        forms += [" ".join(words), " ".join(words[1:] + words[:1]), "".join(words), "".join(words[1:] + words[:1])]
        forms += alone
    return forms


def _forms_of_date(value: str) -> list[str]:
    match = _DATE.match(value)
    if match is None:
        return []
    year, month, day = match.groups()
    return [f"{year}{month}{day}", f"{year} {month} {day}", f"{day} {month} {year}", f"{day}{month}{year}"]


def is_long(form: str) -> bool:
    """True for a form that is looked for inside longer words and in bytes."""
    return len(form) >= _LONG
