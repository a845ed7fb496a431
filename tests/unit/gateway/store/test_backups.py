"""What a backup's own disk refuses is said of the backup's folder."""

import errno
import os
from pathlib import Path

import pytest

from gateway.domain.errors import Full
from gateway.store.backups import unfinished


def test_a_full_disk_is_named_by_the_folder_of_the_backup(tmp_path: Path) -> None:
    with pytest.raises(Full, match=f"the disk of {tmp_path} is full"), unfinished(tmp_path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []
