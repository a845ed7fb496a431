"""A disk that takes no more, as the fault schedules play it."""

import sys
from pathlib import Path

from tests.peers.file_limits import limit_files
from tests.peers.processes import Process, wait_until

_PIECE_BYTES = 1_500
_GROW = f"""
import errno, sys, time
with open("grown", "wb", buffering=0) as file:
    while True:
        try:
            file.write(bytes({_PIECE_BYTES}))
        except OSError as exc:
            print(errno.errorcode[exc.errno], flush=True)
        time.sleep(0.001)
"""


def test_a_limited_process_is_refused_in_the_middle_of_a_write_until_there_is_room_again(tmp_path: Path) -> None:
    grown = tmp_path / "grown"
    process = Process("grower", [sys.executable, "-c", _GROW], folder=tmp_path, environment={})
    process.start(is_ready=grown.exists)
    try:
        limit_bytes = grown.stat().st_size + 1_000 * _PIECE_BYTES + 1  # far enough not to be passed meanwhile
        limit_files(process.pid, limit_bytes)
        wait_until(lambda: "EFBIG" in process.log(), timeout_s=60, waiting_for="a refusal")
        assert grown.stat().st_size == limit_bytes  # no multiple of a piece: the last write was cut short
        limit_files(process.pid)
        wait_until(lambda: grown.stat().st_size > limit_bytes, timeout_s=20, waiting_for="room")
    finally:
        process.stop()
