"""What a reviewer finds the things of a case by; any other parameter is refused.

https://hl7.org/fhir/R4/searchparameter-registry.html ; `basedon` and `related` name the order.
"""

from collections.abc import Mapping

SEARCHED_BY: Mapping[str, tuple[str, ...]] = {
    "DocumentReference": ("_id", "identifier", "status", "related"),
    "ImagingStudy": ("_id", "identifier", "status", "basedon"),
    "ServiceRequest": ("_id", "identifier", "status"),
}
"""Resource type -> the parameters, all without modifiers."""
