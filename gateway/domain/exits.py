"""Every way by which something leaves the gateway: what, to whom, and on what ground.

A door is where code lets it out: a module that can talk to others (`path.py`, or a folder `path/`), or one function in
it (`path.py:function`). Answers have endpoints of the web beside, and what a person at the machine sees has commands.
`tests.exits` holds the code to this table: what leaves by no door of it fails the check, and so does a door of GRANT
through which anything could pass unasked, an endpoint or a command that stands in no entry, and one that is not there.
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
    """One way out; `because` says where its ground is looked at, or why it needs no more than that.

    `endpoints` are those of the web's routes, `commands` those of `consilium`, each in words.
    """

    what: str
    to: str
    ground: Ground
    because: str
    doors: tuple[str, ...]
    endpoints: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


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
        ("fhir.read", "fhir.search", "fhir.search_by_form"),
    ),
    Exit(
        "resources, by FHIR read and search, with the notices among them (Communication, Task)",
        "the party that stored them, or for which the gateway wrote them",
        Ground.OWN,
        "every query of services.resource_reading names the caller's party; others' are as if they did not exist",
        ("gateway/web/acknowledging.py", "gateway/web/fhir/routes.py"),
        (
            *("fhir.read", "fhir.search", "fhir.search_by_form", "fhir.vread", "fhir.history"),
            *("fhir.create", "fhir.update", "fhir.transaction", "fhir.transaction_slash"),
        ),
    ),
    Exit(
        "what the audit trail says of a patient or a case, as AuditEvents",
        "the clinic whose patient or case it is",
        Ground.OWN,
        "store.audit_search looks among the rows of the caller's patients and cases alone",
        ("gateway/web/fhir/routes.py",),
        ("fhir.audit_event", "fhir.audit_events", "fhir.audit_events_by_form"),
    ),
    Exit(
        "a decision on consent and the way to it, by Consent/$decide",
        "the clinic that owns the case",
        Ground.OWN,
        "services.explaining finds no case of another clinic",
        ("gateway/web/fhir/routes.py",),
        ("fhir.decide",),
    ),
    Exit(
        "what this server can do, tokens, whether it lives, figures",
        "whoever asks; figures to web.metrics_addresses",
        Ground.NOBODY,
        "capabilities, opaque tokens, counts; names of destinations in the labels of figures alone",
        (
            "gateway/web/fhir/routes.py",
            "gateway/web/oauth/routes.py",
            "gateway/web/health.py",
            "gateway/web/metrics.py",
        ),
        (
            *("fhir.metadata", "oauth.token", "oauth.smart_configuration_fhir", "oauth.smart_configuration_root"),
            *("health.healthz", "health.readyz", "metrics.metrics"),
        ),
    ),
    Exit(
        "pages about one's own account",
        "the person who signs in",
        Ground.OWN,
        "each shows what is of the session's own user",
        ("gateway/web/people/routes.py", "gateway/web/people/frame.py"),
        tuple(
            f"account.{name}"
            for name in (
                *("account", "end_session", "enrolment", "enrolment_finish", "enrolment_submit", "openid"),
                *("openid_answer", "password", "recovery_codes", "second_factor", "second_factor_submit", "sign_in"),
                *("sign_in_submit", "sign_out", "signed_out", "style"),
            )
        ),
    ),
    Exit(
        "pages of those who work here: waits, recalls, people, audit trail, disclosures and their file",
        "a person who signed in with the role for it",
        Ground.OFFICE,
        "gateway.web.admin asks for the role before each, and leaves an audit row",
        ("gateway/web/admin/routes.py",),
        tuple(
            f"admin.{name}"
            for name in (
                "home",
                "waits",
                "recalls",
                "people",
                "audit",
                "audit_search",
                "disclosures",
                "disclosures_search",
                "disclosures_file",
                "nothing",
            )
        ),
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
        "ids and codes, and reasons as a person typed them, which must name nobody (services.audit_export)",
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
    Exit(
        "what was received, made and kept, as files",
        "the disk of this installation, a backup's folder, the folder of anchors",
        Ground.OFFICE,
        "who runs the gateway says where they are; where they are is readable for its user alone",
        (
            *("gateway/store/blobs.py", "gateway/store/keys.py", "gateway/store/anchors.py"),
            *("gateway/store/backups.py", "gateway/store/portable.py", "gateway/services/sweeping.py", "dicom_node/"),
        ),
        commands=("backup create", "backup restore", "audit anchor"),
    ),
    Exit(
        "log lines",
        "the standard error of each program",
        Ground.NOBODY,
        "ids, codes and times; no path, query, header or body",
        ("gateway/process.py",),
        commands=("up", "web", "dicom-node", "worker", "demo"),
    ),
    Exit(
        "a document as the clinic sent it, and an accounting of disclosures, as a file",
        "the person at the machine who asked for it",
        Ground.OFFICE,
        "the audit trail says who did",
        ("gateway/cli/documents.py:save", "gateway/cli/audit.py:_tell_disclosures"),
        commands=("document save", "audit disclosures"),
    ),
    Exit(
        "what is known of one case, patient, study, delivery, document or consent",
        "the person at the machine who asks",
        Ground.OFFICE,
        "who may run commands may read the database; a look leaves an audit row (test_audit_doors)",
        ("gateway/cli/output.py",),
        commands=(
            *("case show", "study show", "delivery show", "document show", "quarantine show", "consent list"),
            *("consent authority list", "consent explain", "audit list", "audit patient"),
        ),
    ),
    Exit(
        "lists and answers of ids, states, times and names of parties, secrets that were just made",
        "the person at the machine who asks",
        Ground.OFFICE,
        "nothing of a patient; a secret is shown to whoever had it made, once",
        ("gateway/cli/output.py",),
        commands=(
            *("case list", "case destroyed", "case assign", "case close", "case reopen", "case hold", "case unhold"),
            *("study list", "study link", "study leave-out", "quarantine list", "quarantine accept"),
            *("quarantine reject", "document list", "document approve", "document redact", "document reject"),
            *("delivery list", "delivery retry", "delivery resend", "delivery hold", "delivery release"),
            *("delivery confirm", "delivery cancel", "recall list", "recall acknowledge", "job list", "job retry"),
            *("consent revoke", "consent authority record", "consent authority withdraw"),
            *("transfer add", "transfer end", "transfer list", "audit verify", "backup verify", "backup resume"),
            *("clinic add", "clinic list", "clinic show", "reviewer add", "reviewer list", "reviewer show"),
            *("reviewer organization add", "reviewer organization remove"),
            *("endpoint add-dicom", "endpoint add-fhir", "endpoint list", "endpoint show", "endpoint remove"),
            *("endpoint test", "client add", "client list", "client show", "client keys", "client scopes"),
            *("client rotate-secret", "client revoke", "user add", "user list", "user show", "user roles"),
            *("user disable", "user enable", "user reset", "user unlock", "db upgrade", "doctor"),
        ),
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
