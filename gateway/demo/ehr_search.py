"""Token search on `identifier` (https://hl7.org/fhir/R4/search.html#token, #escaping)."""

import re

from gateway.demo.resources import Json

_COMMA, _BAR = re.compile(r"(?<!\\),"), re.compile(r"(?<!\\)\|")


def has_token(resource: Json, tokens: str) -> bool:
    """Whether one identifier of the resource is one of `tokens`: `system|value`, several with commas between."""
    wanted = {tuple(map(_unescaped, _BAR.split(token, maxsplit=1))) for token in _COMMA.split(tokens)}
    return any((one.get("system"), one.get("value")) in wanted for one in resource.get("identifier", []))


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
