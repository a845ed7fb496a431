"""Each rule of the fault suite is shown a world in which it is broken; and an error while a fault is done is told."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from gateway.domain.delivery import DeliveryKind, DeliveryState, Flow
from gateway.domain.record import Delivery
from tests.acceptance.faults import rules
from tests.acceptance.faults.inflicting import Trouble
from tests.acceptance.faults.rules import GRANTED, RECALLED, REVOKED, Arrival, Event, Grant
from tests.acceptance.faults.schedule import Fault
from tests.acceptance.faults.town import Town

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
EHR, PACS, STUDY = DeliveryKind.REPORT_TO_EHR, DeliveryKind.REPORT_TO_PACS, DeliveryKind.STUDY_TO_REVIEWER
RETURN = Flow.RETURN_TO_CLINIC
DELIVERED = Delivery(
    id="d1",
    case_id="c1",
    endpoint_id="e1",
    kind=EHR,
    subject_id="r1",
    business_key="report:r1:e1:1",
    state=DeliveryState.DELIVERED,
    waits_for="",
    payload_sha256="a" * 64,
    attempts=1,
    last_error="",
    is_ambiguous=False,
    sent_anew_at=None,
    created_at=NOW,
    changed_at=NOW,
)
AMBIGUOUS = replace(
    DELIVERED,
    state=DeliveryState.AMBIGUOUS,
    waits_for="an administrator: it may be there",
    last_error="Ambiguous: it may be there",
    is_ambiguous=True,
)
HELD = replace(DELIVERED, state=DeliveryState.HELD, waits_for="the clinic: it was taken back")
GRANT = Grant("d1", EHR, "a" * 64, NOW, NOW + timedelta(seconds=60))
ARRIVAL = Arrival(EHR, "a" * 64, "a" * 64, NOW - timedelta(seconds=29), NOW + timedelta(seconds=1))
TRAIL = (Event(GRANTED, "d1", RETURN), Event(REVOKED), Event(RECALLED, "d1"))


def is_broken(check: Callable[[], None]) -> None:
    with pytest.raises(AssertionError):
        check()


@pytest.mark.parametrize(
    ("fault", "destinations"),
    [
        (Fault("kill", "report", 0.1, "worker"), {EHR, PACS, STUDY}),
        (Fault("kill-at-hook", "study", 0, "worker", "reviewer.after_send"), {EHR, PACS, STUDY}),
        (Fault("no-space", "report", 0.1, "worker", "0", 1), {EHR, PACS, STUDY}),
        (Fault("disk-full", "report", 0, "worker", lasts_s=1), {EHR, PACS, STUDY}),
        (Fault("restart-database", "report", 0.1), {EHR, PACS, STUDY}),
        (Fault("server-wire", "report", 0.1, "database", "cut", 1), {EHR, PACS, STUDY}),
        (Fault("cut", "study", 0.1, "reviewer", lasts_s=1), {STUDY}),
        (Fault("stall", "report", 0.1, "ehr", lasts_s=1), {EHR}),
        (Fault("slow", "report", 0.1, "pacs", lasts_s=1), {PACS}),
        (Fault("ehr-answer", "report", 0, "ehr", "silence"), {EHR}),
        (Fault("ehr-answer", "report", 0, "ehr", "lost"), {EHR}),
        (Fault("pacs-answer", "report", 0, "pacs", "late", 1), {PACS}),
        (Fault("ehr-answer", "report", 0, "ehr", "503"), set()),
        (Fault("pacs-answer", "report", 0, "pacs", "full", 1), set()),
        (Fault("kill", "report", 0.1, "web"), set()),
        (Fault("cut", "report", 0.1, "web", lasts_s=1), set()),
        (Fault("server-wire", "report", 0.1, "broker", "cut", 1), set()),
        (Fault("wipe-broker", "report", 0.1), set()),
        (Fault("clock-jump", "report", 0.1), set()),
        (Fault("revoke", "report", 0.1, str(RETURN)), set()),
    ],
    ids=lambda value: " ".join(filter(None, (value.kind, value.what, value.how))) if isinstance(value, Fault) else "",
)
def test_a_fault_leaves_open_what_it_can_reach(fault: Fault, destinations: set[DeliveryKind]) -> None:
    assert {kind for kind in (EHR, PACS, STUDY) if rules.may_be_open([fault], kind)} == destinations


def test_ambiguous_is_only_what_a_fault_left_open() -> None:
    rules.has_ended_or_says_why(AMBIGUOUS, is_revoked=False, may_be_open=True)
    is_broken(lambda: rules.has_ended_or_says_why(AMBIGUOUS, is_revoked=True, may_be_open=False))


@pytest.mark.parametrize("changes", [{"waits_for": "an administrator: "}, {"is_ambiguous": False}, {"last_error": ""}])
def test_what_is_ambiguous_says_so(changes: dict[str, object]) -> None:
    is_broken(
        lambda: rules.has_ended_or_says_why(
            replace(AMBIGUOUS, **changes),  # type: ignore[arg-type]  # one of its fields, by the list above
            is_revoked=False,
            may_be_open=True,
        )
    )


def test_held_is_only_what_was_taken_back() -> None:
    rules.has_ended_or_says_why(HELD, is_revoked=True, may_be_open=False)
    is_broken(lambda: rules.has_ended_or_says_why(HELD, is_revoked=False, may_be_open=True))
    is_broken(
        lambda: rules.has_ended_or_says_why(replace(HELD, waits_for="the clinic"), is_revoked=True, may_be_open=True)
    )


@pytest.mark.parametrize("state", [DeliveryState.PENDING, DeliveryState.FAILED, DeliveryState.CANCELLED])
def test_nothing_rests_in_another_state(state: DeliveryState) -> None:
    is_broken(lambda: rules.has_ended_or_says_why(replace(AMBIGUOUS, state=state), is_revoked=True, may_be_open=True))


@pytest.mark.parametrize(
    ("copies", "is_acknowledged", "may_be_open", "repeats", "is_right"),
    [
        (1, True, False, 0, True),
        (0, True, True, 0, False),
        (2, True, True, 0, False),
        (2, True, True, 1, True),
        (0, False, False, 0, True),
        (1, False, False, 0, False),
        (1, False, True, 0, True),
        (2, False, True, 0, False),
    ],
)
def test_how_many_copies_there_may_be(
    copies: int, is_acknowledged: bool, may_be_open: bool, repeats: int, is_right: bool
) -> None:
    def check() -> None:
        rules.came_once("it", copies, is_acknowledged=is_acknowledged, may_be_open=may_be_open, repeats=repeats)

    check() if is_right else is_broken(check)


def test_each_arrival_needs_a_grant_of_its_own() -> None:
    again = replace(GRANT, granted_at=NOW + timedelta(seconds=5), expires_at=NOW + timedelta(seconds=65))
    later = replace(ARRIVAL, came_at=NOW + timedelta(seconds=6))
    rules.each_has_a_grant_of_its_own([ARRIVAL, later], [again, GRANT])
    is_broken(lambda: rules.each_has_a_grant_of_its_own([ARRIVAL, later], [GRANT]))


def test_asking_needs_a_grant_and_uses_none_up() -> None:
    asked = replace(ARRIVAL, thing="", payload_sha256="")
    rules.each_has_a_grant_of_its_own([asked, asked, ARRIVAL], [GRANT])
    is_broken(lambda: rules.each_has_a_grant_of_its_own([asked], []))


@pytest.mark.parametrize(
    "other",
    [
        replace(GRANT, kind=PACS),
        replace(GRANT, payload_sha256="b" * 64),
        replace(GRANT, granted_at=NOW + timedelta(seconds=2)),
        replace(GRANT, granted_at=NOW - timedelta(seconds=90), expires_at=NOW - timedelta(seconds=30)),
    ],
    ids=["another destination", "another payload", "after it came", "over before it left"],
)
def test_a_grant_of_something_else_covers_nothing(other: Grant) -> None:
    is_broken(lambda: rules.each_has_a_grant_of_its_own([ARRIVAL], [other]))


def test_nothing_is_granted_after_the_revocation() -> None:
    rules.none_granted_after_revocation(TRAIL, [GRANT], {RETURN})
    is_broken(lambda: rules.none_granted_after_revocation((TRAIL[1], TRAIL[0]), [GRANT], {RETURN}))
    rules.none_granted_after_revocation((TRAIL[1], TRAIL[0]), [GRANT], {Flow.DISCLOSE_TO_REVIEWER})


def test_a_revocation_and_each_grant_are_in_the_audit_trail() -> None:
    is_broken(lambda: rules.none_granted_after_revocation((TRAIL[0],), [GRANT], {RETURN}))
    is_broken(lambda: rules.none_granted_after_revocation((), [GRANT], set()))


def test_what_had_left_is_recalled_once() -> None:
    rules.recalled_is_what_had_left([DELIVERED], [GRANT], ["d1"], TRAIL, {RETURN})
    rules.recalled_is_what_had_left([DELIVERED], [GRANT], [], TRAIL[:1], set())


@pytest.mark.parametrize(
    ("grants", "noticed", "trail", "revoked"),
    [
        ([GRANT], [], TRAIL[:2], {RETURN}),
        ([GRANT], ["d1", "d1"], (*TRAIL, TRAIL[2]), {RETURN}),
        ([], ["d1"], TRAIL[1:], {RETURN}),
        ([GRANT], ["d1"], TRAIL, set()),
        ([GRANT], ["d1"], TRAIL, {Flow.DISCLOSE_TO_REVIEWER}),
        ([GRANT], ["d2"], (*TRAIL[:2], Event(RECALLED, "d2")), {RETURN}),
        ([GRANT], ["d1"], TRAIL[:2], {RETURN}),
        ([GRANT], ["d1"], (TRAIL[0], TRAIL[2], TRAIL[1]), {RETURN}),
    ],
    ids=[
        "no notice",
        "two notices",
        "nothing had left",
        "nothing was revoked",
        "something else was revoked",
        "of another delivery",
        "not in the audit trail",
        "before the revocation",
    ],
)
def test_any_other_recall_is_wrong(
    grants: list[Grant], noticed: list[str], trail: tuple[Event, ...], revoked: set[Flow]
) -> None:
    is_broken(lambda: rules.recalled_is_what_had_left([DELIVERED], grants, noticed, trail, revoked))


@pytest.mark.parametrize("error", [KeyboardInterrupt("stop"), pytest.fail.Exception("no"), OSError("gone")])
@pytest.mark.parametrize("is_mended", [True, False])
def test_an_error_while_a_fault_is_done_is_told(error: BaseException, is_mended: bool) -> None:
    trouble = Trouble(_town_that_raises(error, is_mended), [])
    trouble.begin(Fault("kill", "report", 0.001, "worker"))
    with pytest.raises(BaseExceptionGroup) as told:
        trouble.end()
    assert told.value.exceptions == (error,)


def _town_that_raises(error: BaseException, is_mended: bool) -> Town:
    """One whose programs cannot be killed, nor, unless `is_mended`, be brought back to what they were."""

    def restart(name: str) -> None:
        raise error

    def calm_all() -> None:
        if not is_mended:
            raise TimeoutError("worker is not back")

    return cast(
        Town,
        SimpleNamespace(
            wires={},
            ehr=SimpleNamespace(script=SimpleNamespace(next=lambda: None)),
            pacs=SimpleNamespace(forget_script=lambda: None, answer_after_s=0),
            keeper=SimpleNamespace(restart=restart, calm_all=calm_all),
        ),
    )
