"""Where a program is killed: the hooks that it passes on each part of the way, as `<hook> <commit, send or ack>`."""

TO_THE_REVIEWER = (
    "relay.ring commit", "job.claim commit", "study.settle commit", "release.open commit", "release.prepare commit",
    "document.release commit", "document.prepare commit",
    "egress.grant commit", "reviewer send", "delivery.item commit",
    "job.settle commit", "audit.seal commit",
)  # fmt: skip
TO_THE_CLINIC = (
    "job.claim commit", "report.rendered commit", "report.deliveries commit", "egress.grant commit", "ehr send",
    "report_to_ehr send", "query send", "report_to_pacs send", "job.settle commit",
)  # fmt: skip
WHEN_IT_FAILS = ("job.fail commit", "job.heartbeat commit", "destination.failed commit", "destination.answered commit")
ON_A_BROKER = ("broker send",)
"""Where the bell is a message: `tests/soak/test_killed_ringing.py` kills it."""
BY_TIME = (
    "case.close-due commit", "case.recheck commit", "fhir.index commit", "relay.unring commit",
    "retention.begin commit", "retention.blobs commit", "retention.case commit", "schedule.apart commit",
    "schedule.begin commit", "schedule.next commit", "worker.leave commit", "worker.show commit",
)  # fmt: skip
"""What workers do by the clock or for themselves: `tests/integration/store/test_killed_by_time.py` kills it."""
TO_SYSLOG = ("syslog send", "audit.export commit")
"""On the way of the audit trail to a collector: `tests/integration/gateway/test_syslog.py` kills it."""
BY_A_READER = ("fhir.disclose commit",)
"""When a reviewer reads an assigned case: `tests/integration/store/test_killed_reads.py` kills it."""
BY_COMMAND = (
    "authority.record", "authority.withdraw", "case.assign", "case.close", "case.hold", "case.reopen", "case.unhold",
    "client.add", "client.rotate-secret", "client.set-keys", "client.set-scopes",
    "consent.explain", "consent.revoke", "delivery.cancel",
    "delivery.confirm", "delivery.hold", "delivery.release", "delivery.resend", "delivery.retry", "document.approve",
    "document.redact", "document.reject", "document.show", "quarantine.accept", "quarantine.reject",
    "recall.acknowledge", "registry.client", "registry.endpoint", "registry.organization",
    "registry.party", "study.leave-out", "study.link",
    "transfer.add", "transfer.end",
    "user.add", "user.disable", "user.enable", "user.reset", "user.roles", "user.unlock",
)  # fmt: skip
"""What a person decides: `tests/integration/store/test_killed_commands.py` kills each before and after its commit."""
ON_THE_WAY_IN = {
    "order": ("web", ("oauth.token commit", "fhir.store commit", "http ack", "fhir.read commit")),
    "study": ("dicom-node", ("intake commit", "dicom ack")),
    "report": ("web", ("oauth.token commit", "fhir.store commit", "http ack")),
}
"""Step of the journey -> the program at the edge, and its hooks."""

BY_NOBODY = {"access.deny", "backup.resume", "installation.key", "installation.store", "audit.export_failed"}
NOT_ON_THE_WAY = {
    *BY_NOBODY,
    *BY_COMMAND,
    *(
        point.split()[0]
        for points in (WHEN_IT_FAILS, ON_A_BROKER, BY_A_READER, BY_TIME, TO_SYSLOG, ON_THE_WAY_IN["order"][1])
        for point in points
    ),
}
"""Passed when something goes wrong, by the hour, by a person or by others, and not on the way to anybody."""


def hooks(points: tuple[str, ...]) -> list[str]:
    return [
        f"{name}.{when}_{what}" for point in points for name, what in [point.split()] for when in ("before", "after")
    ]


def early_and_late(points: tuple[str, ...]) -> list[tuple[str, str]]:
    """Each hook once, in pairs: one of the first half of the way with one of the second, so that both are passed."""
    passed = hooks(points)
    middle = len(passed) // 2
    return list(zip(passed[:middle], passed[middle:], strict=True))
