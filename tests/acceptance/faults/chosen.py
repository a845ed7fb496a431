"""Which schedules a run takes: SCHEDULES of them in all, from number SEED on, of one SETTING or of both.

Four of five are embedded. `make test` takes the first 60, `make soak` a thousand; a number with its setting is
always the same schedule.
"""

import os

from tests.acceptance.faults.schedule import DISTRIBUTED, EMBEDDED

_BY_DEFAULT = 60
_ONE_OF = 5


def numbers(setting: str) -> range:
    """The numbers that this run takes of that setting."""
    first, count = int(os.environ.get("SEED", "1")), int(os.environ.get("SCHEDULES", _BY_DEFAULT))
    wanted = os.environ.get("SETTING", "")
    if wanted not in ("", EMBEDDED, DISTRIBUTED):
        raise ValueError(f"SETTING is {EMBEDDED} or {DISTRIBUTED}")
    if wanted:
        return range(first, first + (count if wanted == setting else 0))
    distributed = count // _ONE_OF
    return range(first, first + (distributed if setting == DISTRIBUTED else count - distributed))
