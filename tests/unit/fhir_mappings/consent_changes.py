"""Reads an example consent after a change was made to it."""

import copy
from collections.abc import Callable
from typing import Any

from fhir_mappings.consent import consent_from_fhir
from gateway.domain.consent import (
    Consent,
)
from tests.unit.fhir_mappings.consent_examples import (
    Resource,
    concept,
    disclose_consent,
)

ROOT = "Consent.provision"
CHILD = "Consent.provision.provision[0]"
OPTIN = concept("v3-ActCode", "OPTIN")
OPTOUT = concept("v3-ActCode", "OPTOUT")
Change = Callable[[Resource], object]


def read(resource: Resource, **facts: Any) -> Consent:
    return consent_from_fhir(resource, id="c1", version=1, **facts)


def changed(change: Change, base: Callable[[], Resource] = disclose_consent) -> Resource:
    """An example with a change made to it in place."""
    resource = copy.deepcopy(base())
    change(resource)
    return resource


def at_root(**elements: Any) -> Change:
    return lambda resource: resource["provision"].update(elements)


def nested(**elements: Any) -> Change:
    return lambda resource: resource["provision"]["provision"][0].update(elements)


def top(**elements: Any) -> Change:
    return lambda resource: resource.update(elements)


def without(*names: str) -> Change:
    return lambda resource: [resource.pop(name) for name in names]
