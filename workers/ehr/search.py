"""Search by business identifier, read so that 'not found' really means: not there.

A server may ignore a parameter it does not know and answer with everything, or answer in pages
(https://hl7.org/fhir/R4/search.html#errors); either makes the result unusable and is an error here. The search goes
by POST, so that no identifier stands in a URL (https://hl7.org/fhir/R4/http.html#search).
"""

from collections.abc import Sequence
from typing import Any

from gateway.domain.errors import Permanent
from gateway.domain.party import Identifier
from workers.ehr.answer import Resource
from workers.ehr.client import AS_IT_IS_NOW, Call, Session

_PAGE_SIZE = "10"
_HAS_NO_POST_SEARCH = frozenset({404, 405, 415, 501})


def token(identifier: Identifier) -> str:
    """`system|value` with the characters escaped that search gives a meaning (search.html#escaping)."""
    return f"{_escape(identifier.system)}|{_escape(identifier.value)}"


def search_by_identifier(
    session: Session, resource_type: str, identifiers: Sequence[Identifier], *, may_use_url: bool
) -> list[Resource]:
    """Every resource of this type with one of `identifiers`; more than one means that the EHR has several.

    `may_use_url`: where the EHR takes no search by POST, the identifier may go into the URL (our own report number
    may, a patient's number never). Raises: Permanent when the answer cannot be relied on.
    """
    terms = {"identifier": ",".join(map(token, identifiers)), "_count": _PAGE_SIZE}
    strict = {"Prefer": "handling=strict", **AS_IT_IS_NOW}
    answer = session.send(
        Call(
            "POST",
            f"{resource_type}/_search",
            form=terms,
            headers=strict,
            tolerated=_HAS_NO_POST_SEARCH,
        )
    )
    if not answer.is_success and not may_use_url:
        raise Permanent(
            f"The EHR takes no {resource_type} search by POST (HTTP {answer.status}), and patient numbers never go"
            " into URLs; its administrator has to allow POST [base]/Patient/_search."
        )
    if not answer.is_success:
        answer = session.send(Call("GET", resource_type, query=terms, headers=strict))
    return _matches(answer.expect("Bundle"), resource_type, identifiers)


def has_identifier(resource: Resource, identifier: Identifier) -> bool:
    """Whether `resource.identifier` holds exactly this system and value; it may be a list or a single one."""
    held = resource.get("identifier")
    each = held if isinstance(held, list) else [held]
    return any(
        isinstance(one, dict) and (one.get("system"), one.get("value")) == (identifier.system, identifier.value)
        for one in each
    )


def _matches(bundle: Resource, resource_type: str, identifiers: Sequence[Identifier]) -> list[Resource]:
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise Permanent("The EHR answered a search with a Bundle that cannot be read.")
    found = [resource for resource in map(_match, entries) if resource.get("resourceType") == resource_type]
    for resource in found:
        if not any(has_identifier(resource, identifier) for identifier in identifiers):
            raise Permanent(f"The EHR ignores the identifier when it searches {resource_type}, or hides it.")
    unique = list({str(resource.get("id")): resource for resource in found}.values())
    total = bundle.get("total")
    has_more = isinstance(total, int) and total > len(unique)
    if len(unique) < 2 and (has_more or _has_next_page(bundle)):
        raise Permanent(f"The EHR does not show all matches when it searches {resource_type}.")
    return unique


def _match(entry: object) -> dict[str, Any]:
    if not isinstance(entry, dict) or not isinstance(entry.get("resource"), dict):
        return {}
    search = entry.get("search")
    mode = search.get("mode") if isinstance(search, dict) else None
    resource: dict[str, Any] = entry["resource"]
    return resource if mode in (None, "match") else {}


def _has_next_page(bundle: Resource) -> bool:
    links = bundle.get("link")
    return isinstance(links, list) and any(isinstance(each, dict) and each.get("relation") == "next" for each in links)


def _escape(text: str) -> str:
    for letter in "\\,|$":
        text = text.replace(letter, "\\" + letter)
    return text
