"""How a literal reference in a request becomes `Type/id` of this server (https://hl7.org/fhir/R4/http.html#trules).

In this order: the fullUrl of an entry; a relative reference beside an entry with an absolute fullUrl
(https://hl7.org/fhir/R4/bundle.html#references); this server's own address; a conditional reference
`Type?identifier=system|value`. Everything else stays as it is.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fhir_mappings.search_token import read_identifier_query
from gateway.domain.errors import Unprocessable
from gateway.domain.party import Identifier

_CONDITIONAL = re.compile(r"(?P<type>[A-Z][A-Za-z]+)\?(?P<query>\S+)")
_RESTFUL_FULL_URL = re.compile(r"(?P<root>https?://\S*/)[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True)
class Links:
    """What the references of one request resolve against.

    `assigned` maps the fullUrl of each entry to its `Type/id`; `own_base` is this server's FHIR base URL, or '';
    `find` gives the `Type/id` of the resource with a business identifier, or None.
    """

    assigned: Mapping[str, str]
    own_base: str
    find: Callable[[str, Identifier], str | None]

    def resolver(self, full_url: str) -> Callable[[str, str], str]:
        """For `rewritten`, inside the entry with that fullUrl ('' outside a Bundle)."""
        match = _RESTFUL_FULL_URL.fullmatch(full_url)
        root = match["root"] if match else ""
        return lambda literal, at: self._resolve(literal, at, root)

    def _resolve(self, literal: str, at: str, root: str) -> str:
        if found := self.assigned.get(literal) or (root and self.assigned.get(root + literal)):
            return found
        if self.own_base and literal.startswith(f"{self.own_base}/"):
            return literal.removeprefix(f"{self.own_base}/")
        if at.endswith(".reference") and (match := _CONDITIONAL.fullmatch(literal)):
            identifier = read_identifier_query(match["query"], at=at)
            if (target := self.find(match["type"], identifier)) is None:
                raise Unprocessable(f"no {match['type']} matches this conditional reference", at=at)
            return target
        return literal
