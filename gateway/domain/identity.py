"""Is the person in the image header the person in the order? Names are compared folded, nothing is guessed."""

import unicodedata
from dataclasses import dataclass
from datetime import date

_LETTERS = str.maketrans({"ß": "ss", "ı": "i", "ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"})
_COMPONENTS_OF_A_PERSON = 3
_SPELT_OUT = (("ae", "a"), ("oe", "o"), ("ue", "u"))


SEX_BY_CODE = {"M": "male", "F": "female", "O": "other"}
"""Patient's Sex of DICOM (PS3.3 C.7.1.1) -> PersonIdentity.sex."""


def fold_letters(text: str) -> str:
    """Text without case, diacritics and spelt-out umlauts; everything that is no letter stays as it is."""
    folded = text.replace("İ", "I").casefold()
    if not folded.isascii():
        spread = unicodedata.normalize("NFKD", folded.translate(_LETTERS))
        folded = "".join(letter for letter in spread if not unicodedata.combining(letter))
    for spelt, short in _SPELT_OUT:
        folded = folded.replace(spelt, short)
    return folded


def fold_name(name: str) -> frozenset[str]:
    """The words of a name without case, order, diacritics, separators and spelt-out umlauts.

    `ÖZTÜRK^AYŞE`, `Oeztuerk, Ayse` and `ayse ozturk` fold to the same set. Empty for a name without letters.
    """
    return frozenset("".join(letter if letter.isalnum() else " " for letter in fold_letters(name)).split())


@dataclass(frozen=True)
class PersonIdentity:
    """What both sides say of a person; an empty string or None means: not said.

    `names` holds every name (a FHIR Patient may have several, a PN up to three representations). `sex` is `male`,
    `female`, `other` or empty (FHIR administrative-gender without `unknown`).
    """

    names: tuple[str, ...]
    birth_date: date | None
    sex: str


@dataclass(frozen=True)
class Contradiction:
    """A field in which header and order disagree, with both values for a person to look at."""

    field: str
    in_header: str
    in_order: str


def contradictions(header: PersonIdentity, order: PersonIdentity) -> tuple[Contradiction, ...]:
    """Every field that both sides state and state differently."""
    found = []
    if _is_no_name_shared(header.names, order.names):
        found.append(Contradiction("name", " / ".join(header.names), " / ".join(order.names)))
    if header.birth_date and order.birth_date and header.birth_date != order.birth_date:
        found.append(Contradiction("birth date", header.birth_date.isoformat(), order.birth_date.isoformat()))
    if header.sex and order.sex and header.sex != order.sex:
        found.append(Contradiction("sex", header.sex, order.sex))
    return tuple(found)


def _is_no_name_shared(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
    """True when both sides say who it is and no way of saying it is the same."""
    ours, theirs = ({words for name in names if (words := _own_words(name))} for names in (left, right))
    return bool(ours and theirs) and ours.isdisjoint(theirs)


def _own_words(name: str) -> frozenset[str]:
    """Family, given and middle name; "Dr." and "MD" say nothing of who it is.

    PN components are family^given^middle^prefix^suffix (PS3.5 6.2.1.1).
    """
    return fold_name("^".join(name.split("^")[:_COMPONENTS_OF_A_PERSON]))
