"""Random ids: 16 lower-case characters of base 32 (80 bits), valid as FHIR ids and easy to type."""

import base64
import secrets


def new_id() -> str:
    """A fresh id; never derived from anything."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()
