"""Random ids: 16 lower-case characters of base 32 (80 bits), valid as FHIR ids and easy to type."""

import base64
import re
import secrets

OWN_ID = re.compile(r"[a-z2-7]{16}")
"""As `new_id` makes them."""


def new_id() -> str:
    """A fresh id; never derived from anything."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()
