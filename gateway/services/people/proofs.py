"""What a person proves who they are with: a password (Argon2id), the codes of an app, and recovery codes."""

import base64
import re
import secrets
from datetime import datetime
from functools import cache

import pyotp
from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from pyotp.exceptions import OTPVerificationError

from gateway.domain.passwords import normalised
from gateway.domain.sign_in import Hashing
from gateway.services.core import Core
from gateway.services.people.sealing import seal, unseal

ISSUER = "Consilium"
RECOVERY_CODES = 10
_SECRET_BYTES = 32
_RECOVERY_BYTES = 15  # 120 bits: above 112 a plain digest is enough (NIST SP 800-63B 3.1.2.2)
_TOTP = re.compile(r"[0-9]{6}")
_LANES = 1


def new_secret() -> str:
    """256 random bits: a session's token, a browser's secret, an enrolment code. Their digests are what is kept."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hashed(password: str, hashing: Hashing) -> str:
    """Argon2id in the PHC format, which names its parameters (RFC 9106)."""
    return _hasher(hashing).hash(normalised(password))


def is_password(password_hash: str | None, password: str, hashing: Hashing) -> bool:
    """Whether it is the one. Without a hash a password is compared all the same, so that it takes as long."""
    hasher = _hasher(hashing)
    try:
        hasher.verify(password_hash or _nobody(hashing), normalised(password))
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def needs_rehash(password_hash: str, hashing: Hashing) -> bool:
    """Whether it was made with other parameters than those of today."""
    return _hasher(hashing).check_needs_rehash(password_hash)


def new_totp_secret() -> str:
    """160 bits, as RFC 4226 recommends (section 4, R6), in base 32."""
    return pyotp.random_base32()


def totp_uri(secret: str, name: str) -> str:
    """What an app reads from the picture: https://github.com/google/google-authenticator/wiki/Key-Uri-Format"""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def totp_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code it is: this one, the one before or the one after (RFC 6238, 5.2); None for none."""
    if not _TOTP.fullmatch(code):
        return None
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(code, for_time=now, valid_window=1)
    except OTPVerificationError:
        return None


def seal_secret(core: Core, person_id: str, secret: str) -> bytes:
    """As it is kept in the database."""
    return seal(core.pseudonym_key, f"totp/{person_id}", secret.encode())


def unseal_secret(core: Core, person_id: str, sealed: bytes) -> str:
    """The secret again. Raises Invalid when it was sealed for somebody else, or with another key."""
    return unseal(core.pseudonym_key, f"totp/{person_id}", sealed).decode()


def new_recovery_codes() -> list[str]:
    """Shown once; each is good once. Groups of four letters and digits."""
    return [_grouped(base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode()) for _ in range(RECOVERY_CODES)]


def plain_code(code: str) -> str:
    """A code as it is compared, however it was typed."""
    return re.sub(r"[\s-]", "", code).upper()


def _grouped(code: str) -> str:
    return "-".join(code[at : at + 4] for at in range(0, len(code), 4))


@cache
def _hasher(hashing: Hashing) -> PasswordHasher:
    return PasswordHasher(
        time_cost=hashing.passes, memory_cost=hashing.memory_kib, parallelism=_LANES, type=Type.ID, encoding="utf-8"
    )


@cache
def _nobody(hashing: Hashing) -> str:
    """The hash that an unknown name's password is compared with."""
    return _hasher(hashing).hash(secrets.token_urlsafe(32))
