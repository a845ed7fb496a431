r"""What is asked under one search parameter (https://hl7.org/fhir/R4/search.html).

| of type | takes | modifiers |
| --- | --- | --- |
| token | `code`, `system|code`, `|code` (no system), `system|` | missing |
| identifier | `system|value` | - |
| reference | `id`, `Type/id`, or the URL of a resource of this server | missing |
| date | a date behind one of eq, ne, gt, lt, ge, le, sa, eb, or nothing | missing |
| string | how it begins, without case and diacritics | exact, missing |

A comma parts alternatives; `\,`, `\|`, `\$` and `\\` are the characters themselves. A date may be there twice: both have to
hold. Anything else is refused.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from fhir_mappings.literal_references import local_target
from fhir_mappings.primitives import ID as LOGICAL_ID
from fhir_mappings.search_dates import span_of
from fhir_mappings.search_parameters import ID, IDENTIFIER, SEARCH_PARAMETERS, Kind, Parameter, folded
from fhir_mappings.search_token import read_identifier_token
from gateway.domain.errors import Invalid
from gateway.domain.party import Identifier

MOST_ALTERNATIVES = 100
MOST_CLAUSES = 30
_PREFIXED = re.compile(r"(?P<prefix>eq|ne|gt|lt|ge|le|sa|eb)?(?P<date>[0-9].*)")
_ALTERNATIVE = re.compile(r"(?:[^\\,]|\\.)+", re.DOTALL)
_ESCAPED = re.compile(r"\\([,$|\\])")
_BAR = re.compile(r"(?<!\\)\|")
_MISSING, _EXACT = "missing", "exact"


@dataclass(frozen=True)
class Token:
    """A code; None stands for any. A reference has its target's type as system."""

    system: str | None
    code: str | None


@dataclass(frozen=True)
class Text:
    """How a text begins, or with `is_exact` the whole of it as it is written."""

    text: str
    is_exact: bool

    @property
    def folded(self) -> str:
        """As it is compared with what is kept."""
        return folded(self.text)


@dataclass(frozen=True)
class Span:
    """A date from `low` to before `high`, and how it compares to what is searched (`eq`, `ge`, ...)."""

    comparison: str
    low: datetime
    high: datetime


Choice = Token | Text | Span | Identifier | str


@dataclass(frozen=True)
class Clause:
    """One of the choices has to hold; with `is_missing` instead: nothing is there, or something is."""

    parameter: Parameter
    choices: tuple[Choice, ...]
    is_missing: bool | None = None


@dataclass(frozen=True)
class Reading:
    """What a query is read against: whose zone a date is in, and this server's FHIR base URL."""

    zone: tzinfo
    own_base: str

    def clauses(self, resource_type: str, given: Sequence[tuple[str, str]]) -> tuple[Clause, ...]:
        """Every parameter that was given, in its order. Raises Invalid for what is not understood."""
        known = SEARCH_PARAMETERS[resource_type]
        _check_each_once(known, [name for name, _ in given])
        return tuple(self._clause(known[name.partition(":")[0]], name, value) for name, value in given)

    def _clause(self, parameter: Parameter, name: str, value: str) -> Clause:
        at, modifier = parameter.name, name.partition(":")[2]
        if not value.isprintable():
            raise Invalid("a search has printable characters only", at=at)
        if modifier == _MISSING and parameter.paths:
            return Clause(parameter, (), _truth(value, at))
        if modifier and not (modifier == _EXACT and parameter.kind is Kind.STRING):
            raise Invalid(f"{at} takes {_modifiers(parameter)}", at=at)
        alternatives = _alternatives(value, at)
        return Clause(parameter, tuple(self._choice(parameter, one, modifier == _EXACT) for one in alternatives))

    def _choice(self, parameter: Parameter, text: str, is_exact: bool) -> Choice:
        if parameter == ID:
            return _logical_id(text)
        if parameter == IDENTIFIER:
            return read_identifier_token(text, at=parameter.name)
        if parameter.kind is Kind.REFERENCE:
            return self._target(parameter, text)
        if parameter.kind is Kind.DATE:
            return self._span(text, parameter.name)
        if parameter.kind is Kind.STRING:
            return _text(_unescaped(text), is_exact, parameter.name)
        return _token(text, parameter.name)

    def _target(self, parameter: Parameter, text: str) -> Token:
        relative = text.removeprefix(f"{self.own_base}/")
        target = local_target(relative)
        if target is None and LOGICAL_ID.fullmatch(relative):
            return Token(parameter.target or None, relative)
        if target is None or target.version or parameter.target not in ("", target.type):
            form = f"{parameter.target or 'Type'}/id or id"
            raise Invalid(f"a reference is searched as {form}", at=parameter.name)
        return Token(target.type, target.id)

    def _span(self, text: str, at: str) -> Span:
        match = _PREFIXED.fullmatch(text)
        if match is None:
            raise Invalid("a date is searched as itself or behind eq, ne, gt, lt, ge, le, sa or eb", at=at)
        try:
            # A `+` in a query is a blank unless it was escaped, and many clients do not escape it.
            low, high = span_of(match["date"].replace(" ", "+"), self.zone)
        except Invalid as refusal:
            raise Invalid(str(refusal), at=at) from None
        return Span(match["prefix"] or "eq", low, high)


def _check_each_once(known: Mapping[str, Parameter], names: Sequence[str]) -> None:
    """A name that is not known is not repeated in the error: it may be a value gone astray."""
    if len(names) > MOST_CLAUSES:
        raise Invalid(f"a search has at most {MOST_CLAUSES} parameters")
    if any(name.partition(":")[0] not in known for name in names):
        raise Invalid(f"only these search parameters are supported here: {', '.join((*known, '_count'))}")
    repeated = {name for name, times in Counter(names).items() if times > 1}
    if any(known[name.partition(":")[0]].kind is not Kind.DATE for name in repeated):
        raise Invalid("a search parameter is there twice; only a date may be")


def _modifiers(parameter: Parameter) -> str:
    if not parameter.paths:
        return "no modifier"
    return "the modifiers missing and exact" if parameter.kind is Kind.STRING else "the modifier missing alone"


def _truth(value: str, at: str) -> bool:
    if value not in ("true", "false"):
        raise Invalid("missing is true or false", at=at)
    return value == "true"


def _alternatives(value: str, at: str) -> list[str]:
    found = _ALTERNATIVE.findall(value)
    if not found or ",".join(found) != value:
        raise Invalid("there is an empty value, or a backslash before nothing", at=at)
    if len(found) > MOST_ALTERNATIVES:
        raise Invalid(f"there are at most {MOST_ALTERNATIVES} values", at=at)
    return list(found)


def _logical_id(text: str) -> str:
    if not LOGICAL_ID.fullmatch(text):
        raise Invalid("_id is a logical id, or several parted by commas", at="_id")
    return text


def _text(text: str, is_exact: bool, at: str) -> Text:
    if not folded(text):
        raise Invalid("there is nothing to search for", at=at)
    return Text(text, is_exact)


def _token(text: str, at: str) -> Token:
    parts = [_unescaped(part) for part in _BAR.split(text)]
    if len(parts) == 1:
        return Token(None, parts[0])
    if len(parts) > 2 or not any(parts):
        raise Invalid("a code is searched as code, system|code, |code or system|", at=at)
    return Token(parts[0], parts[1] or None)


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)
