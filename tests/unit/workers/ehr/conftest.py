"""The EHRs with which exactly one report can be promised."""

import pytest

from tests.unit.workers.ehr.delivering import SEARCHING
from tests.unit.workers.ehr.double import (
    EhrDouble,
)


@pytest.fixture(params=["conditional create", "update create", "search, then create"])
def ehr(request: pytest.FixtureRequest) -> EhrDouble:
    """Each kind of EHR with which exactly one report can be promised."""
    if request.param == "conditional create":
        return EhrDouble(conditional_create=True)
    if request.param == "update create":
        return EhrDouble(interactions=("read", "update"), update_create=True)
    return EhrDouble(interactions=SEARCHING)
