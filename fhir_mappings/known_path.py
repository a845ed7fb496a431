"""As much of an expression as R4 has words for: what follows may be a word of the sender's."""

import re

from fhir_mappings.elements import elements_of, model_of

_STEP = re.compile(r"([A-Za-z]+)((?:\[[0-9]{1,6}\])?)")
_HEADERS = frozenset(("If-Match", "If-None-Exist"))


def known_path(expression: str) -> str:
    """The beginning of the path that consists of a resource type and elements of R4; '' where nothing is known."""
    if expression in _HEADERS:
        return expression
    first, *steps = expression.split(".")
    model = model_of(first) if first.isascii() else None
    if model is None:
        return ""
    known = [first]
    for step in steps:
        found = _STEP.fullmatch(step)
        element = elements_of(model).get(found[1]) if found and model is not None else None
        if element is None:
            break
        known.append(step)
        model = element.model
    return ".".join(known)
