r"""Transaction Bundles in; transaction-response, searchset and history Bundles out (https://hl7.org/fhir/R4/http.html).

| path | meaning | required | note |
| --- | --- | --- | --- |
| Bundle.type | `transaction` | yes | `batch` and every other type is refused |
| entry.request.method | POST or PUT | yes | all POST come before all PUT |
| entry.request.url | `Type`, or `Type/id` | yes | no conditional update, no client-assigned id |
| entry.request.ifNoneExist | `identifier=system\|value` | no | POST only |
| entry.request.ifMatch | `W/"version"` | no | PUT only |
| entry.fullUrl | `urn:uuid:...` or an absolute URL | no | once in a Bundle |
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_mappings.literal_references import local_target
from fhir_mappings.search_token import read_identifier_query, read_version_tag
from gateway.domain.errors import Invalid
from gateway.domain.party import Identifier

MOST_ENTRIES = 1000
_ABSOLUTE = re.compile(r"(urn:(uuid|oid):|https?://)\S+")
_ENTRY_MEMBERS = frozenset(("fullUrl", "resource", "request", "id", "link"))
_REQUEST_MEMBERS = frozenset(("method", "url", "ifNoneExist", "ifMatch", "id"))


@dataclass(frozen=True)
class Entry:
    """One resource to create (POST) or update (PUT, with `id`); `position` is None outside a Bundle.

    `refusal` is what is wrong with one that may be stored nevertheless, for the sake of what it ends.
    """

    method: str
    type: str
    resource: dict[str, Any]
    id: str = ""
    full_url: str = ""
    if_none_exist: Identifier | None = None
    if_match: int | None = None
    position: int | None = None
    refusal: Invalid | None = None

    def at(self, path: str) -> str:
        """A FHIRPath that starts at the resource, seen from the request's body; one of another type stays as it is."""
        if self.position is None or (path[:1].isupper() and path.partition(".")[0] != self.type):
            return path
        holder = f"Bundle.entry[{self.position}].resource"
        if not path or path == self.type:
            return holder
        return f"{holder}.{path.removeprefix(f'{self.type}.')}"


def read_transaction(bundle: Any) -> tuple[Entry, ...]:
    """The entries of a transaction Bundle, in its order; the resources themselves are not checked here.

    Raises:
        Invalid: not a transaction Bundle, or an entry that breaks the table above; `at` names it.
    """
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise Invalid("a Bundle of type transaction is posted here; single resources go to /fhir/{type}")
    if bundle.get("type") != "transaction":
        raise Invalid("only Bundles of type transaction are accepted (a batch is not)", at="Bundle.type")
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MOST_ENTRIES:
        raise Invalid(f"a transaction has 1 to {MOST_ENTRIES} entries", at="Bundle.entry")
    read = tuple(_read_entry(entry, position) for position, entry in enumerate(entries))
    _check_once([(one.full_url, one) for one in read if one.full_url], "fullUrl")
    _check_once([(f"{one.type}/{one.id}", one) for one in read if one.id], "request.url")
    return read


def in_processing_order(entries: Iterable[Entry]) -> list[Entry]:
    """POST before PUT, otherwise as in the Bundle."""
    return sorted(entries, key=lambda entry: entry.method == "PUT")


def transaction_response(entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The answer to a transaction: an entry for each of the request, in its order."""
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": list(entries)}


def searchset(
    resources: Iterable[tuple[str, dict[str, Any]]],
    *,
    total: int,
    links: Sequence[tuple[str, str]],
    outcome: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Matches as (full URL, resource); `links` are (relation, URL), `outcome` says what else there is to know.

    FHIR JSON has no empty array: it is left out.
    """
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "total": total}
    if links:
        bundle["link"] = [{"relation": relation, "url": url} for relation, url in links]
    entries = [{"fullUrl": url, "resource": one, "search": {"mode": "match"}} for url, one in resources]
    if outcome is not None:
        entries.append({"resource": outcome, "search": {"mode": "outcome"}})
    return bundle | ({"entry": entries} if entries else {})


def history(entries: Iterable[dict[str, Any]], *, total: int, links: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The versions of one resource, newest first (https://hl7.org/fhir/R4/http.html#history)."""
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "history", "total": total}
    bundle["link"] = [{"relation": relation, "url": url} for relation, url in links]
    return bundle | {"entry": list(entries)}


def _read_entry(entry: Any, position: int) -> Entry:
    at = f"Bundle.entry[{position}]"
    if not isinstance(entry, dict) or set(entry) - _ENTRY_MEMBERS:
        raise Invalid("an entry has fullUrl, resource and request", at=at)
    request, resource, full_url = entry.get("request"), entry.get("resource"), entry.get("fullUrl", "")
    if not isinstance(request, dict) or set(request) - _REQUEST_MEMBERS:
        raise Invalid("a request has method, url, and ifNoneExist or ifMatch", at=f"{at}.request")
    if not all(isinstance(value, str) for value in (full_url, *request.values())):
        raise Invalid("fullUrl and the members of request are strings", at=at)
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        raise Invalid("an entry needs a resource with its resourceType", at=f"{at}.resource")
    if full_url and not _ABSOLUTE.fullmatch(full_url):
        raise Invalid("fullUrl is urn:uuid:... or an absolute URL", at=f"{at}.fullUrl")
    read = {"POST": _read_create, "PUT": _read_update}.get(request.get("method", ""))
    if read is None:
        raise Invalid("only POST and PUT are supported in a transaction", at=f"{at}.request.method")
    return read(request, resource, full_url, position)


def _read_create(request: dict[str, str], resource: dict[str, Any], full_url: str, position: int) -> Entry:
    at = f"Bundle.entry[{position}].request"
    kind = resource["resourceType"]
    if request.get("url") != kind:
        raise Invalid("the url of a POST is the type of its resource", at=f"{at}.url")
    if "ifMatch" in request:
        raise Invalid("ifMatch belongs to PUT", at=f"{at}.ifMatch")
    condition = request.get("ifNoneExist")
    identifier = None if condition is None else read_identifier_query(condition, at=f"{at}.ifNoneExist")
    return Entry("POST", kind, resource, full_url=full_url, if_none_exist=identifier, position=position)


def _read_update(request: dict[str, str], resource: dict[str, Any], full_url: str, position: int) -> Entry:
    at = f"Bundle.entry[{position}].request"
    target = local_target(request.get("url", ""))
    if target is None or target.version or target.type != resource["resourceType"]:
        raise Invalid("the url of a PUT is Type/id of its resource; there is no conditional update", at=f"{at}.url")
    if "ifNoneExist" in request:
        raise Invalid("ifNoneExist belongs to POST", at=f"{at}.ifNoneExist")
    tag = request.get("ifMatch")
    version = None if tag is None else read_version_tag(tag, at=f"{at}.ifMatch")
    return Entry("PUT", target.type, resource, id=target.id, full_url=full_url, if_match=version, position=position)


def _check_once(keyed: Sequence[tuple[str, Entry]], member: str) -> None:
    seen = set()
    for key, entry in keyed:
        if key in seen:
            raise Invalid("two entries are about the same resource", at=f"Bundle.entry[{entry.position}].{member}")
        seen.add(key)
