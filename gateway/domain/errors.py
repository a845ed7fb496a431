"""One tree of errors; each edge maps its classes to HTTP or DIMSE status in one table.

Messages are shown to people and written to logs: they carry ids, field names and remedies, never patient data.
"""


class GatewayError(Exception):
    """Anything the gateway refuses or fails at, with a sentence a person can act on."""


class Invalid(GatewayError):
    """The input breaks a rule of its format; `at` names the element (a FHIRPath or a DICOM keyword)."""

    def __init__(self, message: str, *, at: str = "") -> None:
        super().__init__(message)
        self.at = at


class Unprocessable(Invalid):
    """Well-formed, and still refused by a business rule (HTTP 422)."""


class Unauthenticated(GatewayError):
    """No credentials, or ones that do not hold."""


class Forbidden(GatewayError):
    """The caller is known and may not do this."""


class NotFound(GatewayError):
    """Nothing by that id that the caller may know of."""


class Gone(NotFound):
    """There was one by that id; its content was destroyed when its time was over (HTTP 410)."""


class Conflict(GatewayError):
    """The state or a business key stands against it; the same call will fail again until something changes."""


class Full(GatewayError):
    """No room to keep a promise; nothing was accepted."""


class Transient(GatewayError):
    """Worth another try later; `retry_after_s` is the other side's wish, where it named one."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Throttled(Transient):
    """Too much at once from one caller; nothing was done (HTTP 429)."""


class Damaged(Transient):
    """A blob does not match its name any more, or is gone: the work on it waits until a person has restored it."""


class Unreachable(Transient):
    """The destination did not answer, or said that it cannot at present; nothing was carried out.

    It counts against the destination as a whole, not against what was to be sent.
    """


class Unavailable(Unreachable):
    """It answered that it cannot at present: the destination is there, and nothing was carried out."""


class Lacking(Transient):
    """The destination answered, and does not have what this one needs there; it may get it."""


class NotYet(Transient):
    """Nothing was tried: what it waits for comes by itself, however long it takes."""


class Permanent(GatewayError):
    """Will not succeed by trying again; a person has to change something first."""


class NotAsked(Permanent):
    """What has to be changed is on our side; the destination knows nothing of it."""


class Ambiguous(GatewayError):
    """The other side may or may not have done it; read back before anything is sent again.

    `is_for_person`: the other side offers no way to look, so trying again would be blind. `retry_after_s` as above.
    """

    def __init__(self, message: str, *, is_for_person: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.is_for_person = is_for_person
        self.retry_after_s = retry_after_s


class Unanswered(Ambiguous):
    """It was sent, and no answer came: it counts against the destination as a whole."""
