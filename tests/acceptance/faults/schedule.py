"""What goes wrong in one schedule, and when: drawn from its setting and its number, the same list each time."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.delivery import Flow
from tests.acceptance.kill_points import ON_THE_WAY_IN, TO_THE_CLINIC, TO_THE_REVIEWER, WHEN_IT_FAILS, hooks

ROOT = Path(__file__).parents[3]
EMBEDDED, DISTRIBUTED = "embedded", "distributed"
STEPS = ("order", "study", "document", "disclosure", "report", "return")
"""The journey: each is begun when the one before was acknowledged; disclosure and return end when all is at rest."""

PROGRAMS_AT = {
    "order": ("web",),
    "study": ("dicom-node", "worker"),
    "document": ("worker",),
    "disclosure": ("worker",),
    "report": ("web", "worker"),
    "return": ("worker",),
}
WIRES_AT = {
    "order": ("web",),
    "study": ("dicom", "reviewer"),
    "document": ("reviewer",),
    "disclosure": ("reviewer",),
    "report": ("web", "ehr", "pacs"),
    "return": ("ehr", "pacs"),
}
EHR_ANSWERS = ("500", "503", "lost", "silence")
PACS_ANSWERS = ("full", "late")
SERVERS = ("database", "broker", "bucket")
FILE_LIMITS_BYTES = (0, 4_000, 20_000, 100_000)
_MOST_DELAY_S = 0.6


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong `delay_s` after a step of the journey has begun, and ends after `lasts_s`.

    `what` is a program, a wire, a peer or a flow; `how` a hook, an answer, what a wire does or the bytes of a file.
    """

    kind: str
    step: str
    delay_s: float
    what: str = ""
    how: str = ""
    lasts_s: float = 0


@dataclass(frozen=True)
class Schedule:
    """So many cases on their way at once, and what goes wrong meanwhile; one that was not drawn has the number 0."""

    setting: str
    number: int
    cases: int
    faults: tuple[Fault, ...]

    @property
    def replay(self) -> str:
        """The command that runs this schedule again, though the operating system will interleave it otherwise."""
        return f"make soak SETTING={self.setting} SEED={self.number} SCHEDULES=1"

    def told(self) -> str:
        """For a failure: the schedule in words, and how to have it again."""
        faults = "\n".join(f"    {fault}" for fault in self.faults)
        told = f"--- schedule {self.setting} {self.number}, {self.cases} case(s):\n{faults}"
        note = "the same schedule, not the same interleaving of the operating system"
        return f"{told}\n--- {self.replay}  ({note})" if self.number else told


def drawn(setting: str, number: int) -> Schedule:
    """The schedule of that number: two to four faults, at most one each of revoke, clock-jump and wipe-broker."""
    source = random.Random(f"{setting} {number}")
    kinds = list(KINDS) + (list(DISTRIBUTED_KINDS) if setting == DISTRIBUTED else [])
    chosen: list[str] = []
    for _ in range(source.choice((2, 3, 3, 4))):
        kind = source.choice(kinds)
        chosen.append(kind)
        if kind in _ONCE:
            kinds = [one for one in kinds if one != kind]
    every = KINDS | DISTRIBUTED_KINDS
    faults = sorted(
        (every[kind](source, kind) for kind in chosen), key=lambda one: (STEPS.index(one.step), one.delay_s)
    )
    return Schedule(setting, number, source.choice((1, 1, 2)), tuple(faults))


def _kill_at(source: random.Random, kind: str) -> Fault:
    step = source.choice(STEPS)
    program = source.choice(PROGRAMS_AT[step])
    return Fault(kind, step, 0, program, source.choice(_hooks(step, program)))


def _hooks(step: str, program: str) -> list[str]:
    """Those that the program passes at that step, with the ones that it passes when something else goes wrong too."""
    if program == "worker":
        return hooks((TO_THE_CLINIC if step in ("report", "return") else TO_THE_REVIEWER) + WHEN_IT_FAILS)
    edge, points = ON_THE_WAY_IN[step]
    assert edge == program
    return hooks(points)


def _kill(source: random.Random, kind: str) -> Fault:
    step = source.choice(STEPS)
    return Fault(kind, step, _delay(source), source.choice(PROGRAMS_AT[step]))


def _wire(source: random.Random, kind: str) -> Fault:
    step = source.choice(tuple(WIRES_AT))
    return Fault(kind, step, _delay(source), source.choice(WIRES_AT[step]), lasts_s=_duration(source))


def _ehr(source: random.Random, kind: str) -> Fault:
    return Fault(kind, "report", 0, "ehr", source.choice(EHR_ANSWERS))


def _pacs(source: random.Random, kind: str) -> Fault:
    return Fault(kind, "report", 0, "pacs", source.choice(PACS_ANSWERS), lasts_s=2.5)


def _full(source: random.Random, kind: str) -> Fault:
    step = source.choice(STEPS)
    return Fault(kind, step, 0, source.choice(PROGRAMS_AT[step]), lasts_s=_duration(source))


def _no_space(source: random.Random, kind: str) -> Fault:
    step = source.choice(STEPS)
    program, limit = source.choice(PROGRAMS_AT[step]), source.choice(FILE_LIMITS_BYTES)
    return Fault(kind, step, _delay(source), program, str(limit), lasts_s=_duration(source))


def _jump(source: random.Random, kind: str) -> Fault:
    return Fault(kind, source.choice(STEPS), _delay(source), lasts_s=0)


def _revoke(source: random.Random, kind: str) -> Fault:
    flow = source.choice(tuple(Flow))
    step = source.choice(STEPS[1:5] if flow is Flow.DISCLOSE_TO_REVIEWER else STEPS[1:])
    return Fault(kind, step, _delay(source), str(flow))


def _server(source: random.Random, kind: str) -> Fault:
    return Fault(kind, source.choice(STEPS), _delay(source), lasts_s=0)


def _server_wire(source: random.Random, kind: str) -> Fault:
    server, how = source.choice(SERVERS), source.choice(("cut", "stall", "slow"))
    return Fault(kind, source.choice(STEPS), _delay(source), server, how, lasts_s=_duration(source))


def _delay(source: random.Random) -> float:
    return round(source.uniform(0, _MOST_DELAY_S), 3)


def _duration(source: random.Random) -> float:
    return round(source.uniform(0.2, 1.0), 3)


KINDS: dict[str, Callable[[random.Random, str], Fault]] = {
    "kill-at-hook": _kill_at,
    "kill": _kill,
    "cut": _wire,
    "stall": _wire,
    "slow": _wire,
    "ehr-answer": _ehr,
    "pacs-answer": _pacs,
    "disk-full": _full,
    "no-space": _no_space,
    "clock-jump": _jump,
    "revoke": _revoke,
}
DISTRIBUTED_KINDS: dict[str, Callable[[random.Random, str], Fault]] = {
    "wipe-broker": _server,
    "restart-database": _server,
    "server-wire": _server_wire,
}
_ONCE = frozenset({"clock-jump", "revoke", "wipe-broker"})
