"""How a DICOM UID is spelt."""

import pytest

from gateway.domain.uids import is_valid_uid


@pytest.mark.parametrize("uid", ["1.02.3", "1..2", ".1", "1.", "1.2.a", "1" * 65, "١.٢", "1 .2"])
def test_malformed_uids(uid: str) -> None:
    assert not is_valid_uid(uid)


@pytest.mark.parametrize("uid", ["1.2", "0.0", "2.25.0", "1.2.840.10008.1.2"])
def test_valid_uids(uid: str) -> None:
    assert is_valid_uid(uid)
