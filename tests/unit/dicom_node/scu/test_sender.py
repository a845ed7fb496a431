"""Where an object lies while it is sent: in a folder that is swept, and nowhere when it has gone."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from pydicom import Dataset

from dicom_node.scu import Sender
from gateway.domain.errors import Full
from tests.peers import generated

(IMAGE,) = generated.ct_series(slices=1)
CT = generated.part10(IMAGE)


class Association:
    """Accepts the image and looks at the file that it is given."""

    is_established = True

    def __init__(self) -> None:
        syntax = str(IMAGE.file_meta.TransferSyntaxUID)
        self.accepted_contexts = [SimpleNamespace(abstract_syntax=str(IMAGE.SOPClassUID), transfer_syntax=[syntax])]
        self.seen: list[tuple[Path, int]] = []

    def send_c_store(self, path: Path) -> Dataset:
        self.seen.append((path, path.stat().st_mode & 0o777))
        answer = Dataset()
        answer.Status = 0x0000
        return answer


def _sender(association: Association, folder: Path) -> Sender:
    return Sender(association, "PACS", spool_folder=folder, may_decompress=False)  # type: ignore[arg-type]  # a double


def test_it_lies_in_the_spool_for_its_owner_only_and_is_gone_afterwards(tmp_path: Path) -> None:
    association, spool = Association(), tmp_path / "spool"
    assert _sender(association, spool).send(CT) == 0x0000
    [(path, mode)] = association.seen
    assert (spool in path.parents, mode) == (True, 0o600)
    assert [one for one in spool.rglob("*") if one.is_file()] == []


def test_a_spool_that_takes_nothing_is_full_and_nothing_was_sent(tmp_path: Path) -> None:
    association, spool = Association(), tmp_path / "spool"
    spool.touch()
    with pytest.raises(Full, match="nothing was sent"):
        _sender(association, spool).send(CT)
    assert association.seen == []
