"""Elements inside a Consent, read defensively: what has not the shape of R4 is Invalid, never a bare KeyError."""

from typing import Any

from fhir_mappings.links import read_identifier
from gateway.domain.consent import Moment, PartyReference, Period
from gateway.domain.errors import Invalid, Unprocessable
from gateway.domain.party import Identifier


def single(holder: dict[str, Any], name: str, at: str) -> dict[str, Any]:
    """A required element that is one object."""
    found = holder.get(name)
    if not isinstance(found, dict) or not found:
        raise Invalid("one JSON object that is not empty is needed here", at=at)
    return found


def objects(
    holder: dict[str, Any], name: str, at: str, *, is_required: bool = False
) -> tuple[tuple[str, dict[str, Any]], ...]:
    """The objects of a repeating element, each with its path; none where it is absent. `at` is the holder's path."""
    if name not in holder and not is_required:
        return ()
    path = f"{at}.{name}"
    found = holder.get(name)
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) and one for one in found):
        raise Invalid("an array of JSON objects, none empty, is needed here", at=path)
    return tuple((f"{path}[{index}]", one) for index, one in enumerate(found))


def refuse_words(concept: dict[str, Any], at: str) -> None:
    """Raise Unprocessable for a text that says anything else than the codes beside it: it might limit them."""
    text = concept.get("text")
    said = {str(one.get(name)).casefold() for _, one in objects(concept, "coding", at) for name in ("code", "display")}
    if text is not None and str(text).strip().casefold() not in said:
        remedy = "leave it out, or send the display of the code"
        raise Unprocessable(f"what is said in words is not evaluated; {remedy}", at=f"{at}.text")


def identifiers(holder: dict[str, Any], at: str) -> frozenset[Identifier]:
    """The business identifiers that have both system and value."""
    return frozenset(filter(None, (_identifier(one, path) for path, one in objects(holder, "identifier", at))))


def party(reference: dict[str, Any], at: str) -> PartyReference:
    """Whom a Reference names, without the version; fragments and URNs name nobody outside the resource."""
    literal = reference.get("reference", "")
    if not isinstance(literal, str):
        raise Invalid("a reference is text", at=f"{at}.reference")
    identifier = None
    if "identifier" in reference:
        path = f"{at}.identifier"
        identifier = _identifier(single(reference, "identifier", path), path)
    is_literal = "/" in literal and not literal.startswith(("#", "urn:"))
    return PartyReference(literal.partition("/_history/")[0] if is_literal else "", identifier)


def moment(text: object, at: str) -> Moment | None:
    """A date or dateTime; None where there is none."""
    if text is None:
        return None
    try:
        return Moment.parse(text if isinstance(text, str) else "")
    except ValueError:
        raise Invalid("the value is not a FHIR dateTime", at=at) from None


def period(holder: dict[str, Any], name: str, at: str) -> Period | None:
    """A Period with at least one bound; None where there is none."""
    if name not in holder:
        return None
    path = f"{at}.{name}"
    found = single(holder, name, path)
    read = Period(moment(found.get("start"), f"{path}.start"), moment(found.get("end"), f"{path}.end"))
    if read.start is None and read.end is None:
        raise Invalid("a period needs a start or an end", at=path)
    if _is_backwards(read):
        raise Invalid("the start is after the end (invariant per-1)", at=path)
    return read


def _is_backwards(read: Period) -> bool:
    """Bounds of different precision are compared only by the decision, which knows the zone."""
    if read.start is None or read.end is None:
        return False
    is_comparable = type(read.start.first) is type(read.end.after)
    return is_comparable and read.start.first >= read.end.after


def _identifier(identifier: dict[str, Any], at: str) -> Identifier | None:
    if not all(isinstance(identifier.get(name, ""), str) for name in ("system", "value")):
        raise Invalid("system and value of an identifier are text", at=at)
    return read_identifier(identifier)
