"""What a client may do, as SMART writes it: `system/Type.cruds`.

https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html: c create, r read and vread and history of an
instance, u update, d delete, s search. There is no delete here, so that `d` permits nothing.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.domain.errors import Forbidden, Invalid

EVERYTHING = "system/*.crus"
"""All that there is to do, within the party's own resources: what a client may do unless it was registered for less."""

_LETTERS = "cruds"
_ANY = "*"
_SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]{1,63})\.(read|write|\*|c?r?u?d?s?)", re.ASCII)
_FIRST_VERSION = {"read": "rs", "write": "cud", "*": _LETTERS}
"""https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-fhir-resources"""


class ScopeMissing(Forbidden):
    """The token is good, and was not given for this; `scope` is what would do (RFC 6750 3.1, insufficient_scope)."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"the access token lacks the scope {scope}")
        self.scope = scope


@dataclass(frozen=True)
class Scopes:
    """Letters by resource type, `*` for any; what no type has is not permitted."""

    letters: Mapping[str, frozenset[str]]

    def permits(self, resource_type: str, letter: str) -> bool:
        """Whether that may be done with resources of the type."""
        found = (self.letters.get(kind, frozenset()) for kind in (_ANY, resource_type))
        return any(letter in letters for letters in found)

    def require(self, resource_type: str, letters: str) -> None:
        """Raises ScopeMissing, which names what is missing."""
        missing = "".join(letter for letter in letters if not self.permits(resource_type, letter))
        if missing:
            raise ScopeMissing(f"system/{resource_type}.{missing}")

    def within(self, other: "Scopes") -> "Scopes":
        """What both permit."""
        both: dict[str, frozenset[str]] = {}
        for kind in {*self.letters, *other.letters}:
            both[kind] = frozenset(one for one in _LETTERS if self.permits(kind, one) and other.permits(kind, one))
        return _plain(both)

    def __bool__(self) -> bool:
        return bool(self.letters)

    def __str__(self) -> str:
        """As an OAuth scope: `*` first, then the types by name, the letters in SMART's order."""
        return " ".join(f"system/{kind}.{_ordered(self.letters[kind])}" for kind in sorted(self.letters))


def read_scopes(text: str, *, of_types: Collection[str] = ()) -> Scopes:
    """Scopes parted by spaces (RFC 6749 3.3), those of SMART's first version included.

    With `of_types`, those of these resource types alone. Raises Invalid: the wish is not repeated, as it may be a value
    gone astray.
    """
    letters: dict[str, frozenset[str]] = {}
    for one in text.split():
        kind, permitted = _read(one)
        if of_types and kind != _ANY and kind not in of_types:
            raise Invalid("a scope names a resource type of FHIR R4 or *", at="scope")
        letters[kind] = letters.get(kind, frozenset()) | permitted
    return _plain(letters)


def _read(scope: str) -> tuple[str, frozenset[str]]:
    if "?" in scope:
        raise Invalid("a scope with search parameters is not supported; ask for the type as a whole", at="scope")
    found = _SCOPE.fullmatch(scope)
    if found is None or not found[2]:
        sentence = (
            "a scope is system/TYPE.LETTERS: a resource type or *, and of the letters c r u d s some in that order"
        )
        raise Invalid(sentence, at="scope")
    return found[1], frozenset(_FIRST_VERSION.get(found[2], found[2]))


def _plain(letters: Mapping[str, frozenset[str]]) -> Scopes:
    """Without what is empty, and without what `*` permits anyway."""
    of_all = letters.get(_ANY, frozenset())
    own = {kind: permitted if kind == _ANY else permitted - of_all for kind, permitted in letters.items()}
    return Scopes(MappingProxyType({kind: permitted for kind, permitted in own.items() if permitted}))


def _ordered(letters: Iterable[str]) -> str:
    return "".join(sorted(letters, key=_LETTERS.index))


NOTHING = Scopes(MappingProxyType({}))
