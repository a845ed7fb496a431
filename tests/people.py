"""Somebody who enrols and signs in, as a browser does it by the services."""

from datetime import datetime, timedelta

import pyotp

from gateway.domain.people import Role
from gateway.domain.sign_in import Hashing, SessionLimits, SignInPolicy, Visitor
from gateway.services.core import Core
from gateway.services.people import enrolment, registry, sign_in
from gateway.services.people.sign_in import SignedInHere

CHEAP = Hashing(memory_kib=8, passes=1)
"""Argon2id at its cheapest; what it costs is the settings' matter."""
POLICY = SignInPolicy(SessionLimits(timedelta(minutes=30), timedelta(hours=12)), CHEAP)
PASSWORD = "correct horse battery"
HERE = Visitor("192.0.2.7")


class Somebody:
    """A user who is enrolled; `secret` is in the app, `recovery_codes` are on paper."""

    def __init__(
        self, core: Core, name: str = "ayse", *roles: Role, party: str | None = None, policy: SignInPolicy = POLICY
    ) -> None:
        self.core, self.name, self.policy = core, name, policy
        invitation = registry.add(core, name, roles or (Role.COORDINATOR,), party, actor="cli:test")
        self.enrol(invitation.code)

    def enrol(self, code: str) -> None:
        factor = enrolment.choose_password(self.core, self.policy, code=code, password=PASSWORD)
        self.secret = factor.secret
        self.recovery_codes = enrolment.finish(
            self.core, self.policy, ticket=factor.ticket, code=self.code(self.core.now() - timedelta(seconds=30))
        )

    @staticmethod
    def app(secret: str, at: datetime) -> str:
        """What an app shows that has this secret."""
        return pyotp.TOTP(secret).at(at)

    def code(self, at: datetime | None = None) -> str:
        """What this person's app shows."""
        return self.app(self.secret, at or self.core.now())

    def ticket(self, password: str = PASSWORD, visitor: Visitor = HERE) -> str:
        return sign_in.check_password(self.core, self.policy, name=self.name, password=password, visitor=visitor)

    def signs_in(self, visitor: Visitor = HERE, code: str = "", replaced: str = "") -> SignedInHere:
        return sign_in.check_second_factor(
            self.core,
            self.policy,
            proven=sign_in.proven_first(self.core, self.ticket(visitor=visitor)),
            code=code or self.code(),
            visitor=visitor,
            replaced=replaced,
        )
