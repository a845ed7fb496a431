"""Binary -> its bytes (https://hl7.org/fhir/R4/binary.html).

| FHIR path   | becomes   | required | note   |
| ----------- | --------- | -------- | ------ |
| Binary.data | the bytes | yes      | base64 |
"""

from collections.abc import Mapping
from typing import Any

from fhir_mappings.primitives import decode_base64
from gateway.domain.errors import Unprocessable


def binary_data(resource: Mapping[str, Any]) -> bytes:
    """What the Binary holds. Raises Unprocessable when that is nothing, or not base64."""
    data = decode_base64(str(resource.get("data", "")))
    if data is None:
        raise Unprocessable("the Binary has no base64 data", at="Binary.data")
    return data
