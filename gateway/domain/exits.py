"""Every way by which something leaves the gateway: what, to whom, and on what ground.

A door is where code lets it out: a module that can talk to others (`path.py`, or a folder `path/`), or one function in
it (`path.py:function`). `tests.hooks` holds the code to this table: what leaves by no door of it fails the check, and
so does a door of GRANT through which anything could pass unasked.
"""

from dataclasses import dataclass
from enum import StrEnum


class Ground(StrEnum):
    """On what something may leave."""

    GRANT = "a committed egress grant of the delivery, asked for before every instance and request"
    READ_GRANT = "a committed grant of this very answer, given in the transaction that decided on it"
    OWN = "it goes back to the party that it came from, or was made for, and to no other"
    NOBODY = "it tells of nobody: ids, codes and figures, or nothing at all"
    OFFICE = "it stays with whoever runs the gateway: another part of it, or a person who signed in"


@dataclass(frozen=True)
class Exit:
    """One way out; `because` says where its ground is looked at, or why it needs no more than that."""

    what: str
    to: str
    ground: Ground
    because: str
    doors: tuple[str, ...]


EXITS = (
    Exit(
        "de-identified images and cleared documents, by C-STORE",
        "the reviewer's node",
        Ground.GRANT,
        "Permission.require before each object",
        ("gateway/services/to_reviewer.py:_send_one",),
    ),
    Exit(
        "pseudonymous UIDs, by C-FIND",
        "the reviewer's node",
        Ground.GRANT,
        "Permission.require before each query, of the series and of the objects in each",
        ("gateway/services/to_reviewer.py:_found_there",),
    ),
    Exit(
        "the patient's identifiers, by Patient search; the report, by DiagnosticReport search, create, update and read",
        "the clinic's EHR",
        Ground.GRANT,
        "Permission.require before each request but GET metadata, reading back included (workers.ehr.client)",
        ("gateway/services/to_ehr.py:send_to_ehr",),
    ),
    Exit(
        "the report as an object of the patient's study, by C-STORE",
        "the clinic's PACS",
        Ground.GRANT,
        "Permission.require before the object",
        ("gateway/services/to_pacs.py:send_to_pacs",),
    ),
    Exit(
        "UIDs of the patient's study and of the report, by C-FIND",
        "the clinic's PACS",
        Ground.GRANT,
        "Permission.require before each query",
        ("gateway/services/to_pacs.py:_the_study", "gateway/services/to_pacs.py:_is_there"),
    ),
    Exit(
        "the pseudonymous view of assigned cases, by FHIR read and search",
        "the reviewer",
        Ground.READ_GRANT,
        "services.review_grant decides on every item of every answer, in turns with revocation on the case row",
        ("gateway/services/review.py:read", "gateway/services/review.py:search"),
    ),
    Exit(
        "resources, by FHIR read and search, with the notices among them (Communication, Task)",
        "the party that stored them, or for which the gateway wrote them",
        Ground.OWN,
        "every query of services.resource_reading names the caller's party; others' are as if they did not exist",
        ("gateway/web/acknowledging.py",),
    ),
    Exit(
        "the status of what was received, by C-STORE-RSP",
        "whoever sends to the gateway",
        Ground.NOBODY,
        "a status and the UID that the sender gave",
        ("dicom_node/scp/",),
    ),
    Exit(
        "capabilities, tokens and connection tests: GET metadata, the token endpoint, C-ECHO, TCP and TLS",
        "systems of clinics and reviewers",
        Ground.NOBODY,
        "nothing in them comes from a patient's record; the probe of a search is a fixed one",
        ("dicom_node/scu/", "workers/ehr/", "gateway/reachability.py", "gateway/cli/checks.py"),
    ),
    Exit(
        "a request for public keys, by GET",
        "whoever publishes the keys of a client",
        Ground.NOBODY,
        "it carries nothing; the address is the one that was registered",
        ("gateway/key_host.py", "gateway/deadline.py"),
    ),
    Exit(
        "a sign-in: our client id, a code, and the address to come back to",
        "the OpenID provider of the people who work here",
        Ground.NOBODY,
        "it is about whoever signs in, and carries nothing of a patient",
        ("gateway/openid/",),
    ),
    Exit(
        "audit rows as AuditEvents, by syslog over TLS",
        "the operator's collector",
        Ground.NOBODY,
        "ids and codes, as the rows themselves (services.audit_export)",
        ("workers/syslog/",),
    ),
    Exit(
        "one job's id, by the broker",
        "the gateway's own workers",
        Ground.NOBODY,
        "design promise 8: ids only; the work stands in the database",
        ("workers/", "gateway/cli/worker_checks.py"),
    ),
    Exit(
        "spans, by OTLP",
        "the operator's collector",
        Ground.NOBODY,
        "their attributes are ids, kinds and statuses",
        ("gateway/telemetry.py",),
    ),
    Exit(
        "health of this installation's own programs",
        "the administrator's command line",
        Ground.NOBODY,
        "the answers of /healthz and /metrics: figures",
        ("gateway/cli/probes.py",),
    ),
    Exit(
        "blobs: everything that is kept",
        "the object store of this installation",
        Ground.OFFICE,
        "it is the gateway's disk; who runs it is the administrator's choice",
        ("gateway/store/blobs_s3.py", "gateway/store/bucket.py"),
    ),
)
"""Not there yet, and to be entered here when they come: WADO and QIDO, subscriptions, exports of a case."""


def exits_through(path: str, function: str = "") -> list[Exit]:
    """Those with a door there: the function itself where one is given, else the module or a folder above it."""
    return [one for one in EXITS if any(_is_there(door, path, function) for door in one.doors)]


def _is_there(door: str, path: str, function: str) -> bool:
    if function or ":" in door:
        return door == f"{path}:{function}"
    return path.startswith(door) if door.endswith("/") else path == door
