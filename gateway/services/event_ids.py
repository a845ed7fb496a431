"""The ids of AuditEvents: opaque, and the same at every look.

The rows of all parties are counted together; a bare number would tell a clinic how much others do. AES-SIV (RFC 5297)
gives the same id for the same row and tells one that was made up. The key is derived from the installation's own (HKDF,
RFC 5869) under a label.
"""

import base64
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_LABEL = b"consilium audit event ids 1"
_KEY_BYTES, _NUMBER_BYTES = 32, 8
_PADDING = "="
EVENT_ID = re.compile(r"[a-z2-7]{39}")
"""As https://hl7.org/fhir/R4/datatypes.html#id allows: base32 of the tag and the number."""


class EventIds:
    """Ids of rows <-> their numbers, under the pseudonym key of the installation."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_LABEL).derive(key))

    def of(self, number: int) -> str:
        """The id of the row of that number."""
        sealed = self._cipher.encrypt(number.to_bytes(_NUMBER_BYTES), None)
        return base64.b32encode(sealed).decode("ascii").rstrip(_PADDING).lower()

    def number(self, event_id: str) -> int:
        """The number of the row; 0, which none has, for what is no id of this installation."""
        if not EVENT_ID.fullmatch(event_id):
            return 0
        try:
            sealed = base64.b32decode(event_id.upper() + _PADDING)
            return int.from_bytes(self._cipher.decrypt(sealed, None))
        except (InvalidTag, ValueError):
            return 0
