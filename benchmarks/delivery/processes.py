"""What running processes have used so far, by proc(5): CPU, memory, bytes written."""

import os
from collections.abc import Callable
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def family(process_id: int) -> list[int]:
    """The process, its children, theirs, and so on."""
    children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii").split()
    return [process_id, *(each for child in children for each in family(int(child)))]


def cpu_s(process_id: int) -> float:
    """User and system time of a process, and of the children it has waited for (fields 14 to 17 of stat)."""
    fields = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS_A_SECOND


def family_cpu_s(process_id: int) -> float:
    """The same of a process and all that run below it."""
    return _of_family(process_id, cpu_s)


def resident_megabytes(process_id: int) -> float:
    """Resident memory of a process and all that run below it (VmRSS of status); what they share counts for each."""
    return _of_family(process_id, lambda each: _field(each, "status", "VmRSS")) / 1024


def written_bytes(process_id: int) -> float:
    """What a process and all that run below it caused to be sent to the disk (write_bytes of io)."""
    return _of_family(process_id, lambda each: _field(each, "io", "write_bytes"))


def _of_family(process_id: int, figure: Callable[[int], float]) -> float:
    total = 0.0
    for each in family(process_id):
        try:
            total += figure(each)
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
    return total


def _field(process_id: int, file: str, name: str) -> int:
    lines = Path(f"/proc/{process_id}/{file}").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])
