"""What commands print and write."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from gateway.cli.output import readable, write_file
from gateway.domain.errors import Invalid


def test_a_moment_is_told_in_utc_wherever_it_was_taken() -> None:
    there = datetime(2026, 3, 2, 12, 30, tzinfo=timezone(timedelta(hours=3)))
    assert readable(there) == readable(there.astimezone(UTC)) == "2026-03-02 09:30:00 UTC"


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "disclosures.csv"
    write_file(file, b"before")

    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", full)
        with pytest.raises(Invalid, match="No space left"):
            write_file(file, b"after")
    assert (file.read_bytes(), list(tmp_path.iterdir())) == (b"before", [file])
    write_file(file, b"after")
    assert (file.read_bytes(), list(tmp_path.iterdir())) == (b"after", [file])


def test_a_link_stays_one_and_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    file, link = tmp_path / "kept", tmp_path / "link"
    file.write_bytes(b"before")
    link.symlink_to(file)
    write_file(link, b"after")
    assert (link.is_symlink(), file.read_bytes()) == (True, b"after")
    write_file(Path("/dev/null"), b"x")
    assert not Path("/dev/null").is_file()
