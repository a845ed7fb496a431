"""Where a program is killed: the hooks that it passes on each part of the way, as `<hook> <commit, send or ack>`."""

NOT_ON_THE_WAY = {  # in reach of the worker, and passed when something goes wrong, by the hour, or by others
    "broker", "case.close", "case.close-due", "case.hold", "case.recheck", "case.reopen", "case.unhold",
    "destination.answered", "destination.failed", "fhir.store", "installation.store", "job.fail", "job.heartbeat",
    "oauth.token", "recall.acknowledge", "relay.unring", "retention.begin", "retention.blobs", "retention.case",
    "schedule.apart", "schedule.begin", "schedule.next", "study.leave-out", "worker.leave", "worker.show",
}  # fmt: skip
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
ON_THE_WAY_IN = {
    "order": ("web", ("oauth.token commit", "fhir.store commit", "http ack", "fhir.read commit")),
    "study": ("dicom-node", ("intake commit", "dicom ack")),
    "report": ("web", ("oauth.token commit", "fhir.store commit", "http ack")),
}
"""Step of the journey -> the program at the edge, and its hooks."""


def hooks(points: tuple[str, ...]) -> list[str]:
    return [
        f"{name}.{when}_{what}" for point in points for name, what in [point.split()] for when in ("before", "after")
    ]


def early_and_late(points: tuple[str, ...]) -> list[tuple[str, str]]:
    """Each hook once, in pairs: one of the first half of the way with one of the second, so that both are passed."""
    passed = hooks(points)
    middle = len(passed) // 2
    return list(zip(passed[:middle], passed[middle:], strict=True))
