"""Where a raced delivery goes: a real EHR over HTTP, and a real archive over DICOM, that tell what came to them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from pydicom.uid import CTImageStorage, EncapsulatedPDFStorage, ExplicitVRLittleEndian
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at run time
    StudyRootQueryRetrieveInformationModelFind,
)

from dicom_node import scu
from gateway.domain.party import FhirAddress
from gateway.services.outside import Outside
from tests.peers.strict_ehr import StrictEhr
from tests.peers.strict_ehr_records import Records
from tests.peers.strict_pacs import StrictPacs
from workers.ehr.client import Wiring
from workers.ehr.report import deliver_report

_US = "CONSILIUM"
_SENT = frozenset((str(kind), str(ExplicitVRLittleEndian)) for kind in (CTImageStorage, EncapsulatedPDFStorage))
_ABOUT_NOBODY = "/fhir/metadata"
"""The one request that needs no permission."""


@dataclass(frozen=True)
class Destinations:
    """`archive` is the clinic's PACS as well as the reviewer's node."""

    ehr: StrictEhr
    archive: StrictPacs

    def forget(self) -> None:
        """Hold nothing, and let nothing have come; the studies are known still."""
        self.ehr.requests.clear()
        self.ehr.records = Records()
        self.archive.forget()

    def arrived(self) -> int:
        """How many objects, queries, and requests about somebody came since then."""
        about_somebody = [one for one in self.ehr.requests if one.path != _ABOUT_NOBODY]
        return len(about_somebody) + len(self.archive.received) + len(self.archive.queries)

    def stored(self) -> int:
        """How many of them were to store something."""
        return len(self.ehr.writes()) + len(self.archive.received)

    def held(self) -> int:
        """How many reports and objects are there."""
        return len(self.ehr.reports()) + len(self.archive.stored)

    def outside(self, clock: Callable[[], datetime], spool: Path) -> Outside:
        """The adapters as a worker has them; whatever address an endpoint has, it is these who are asked."""
        unused: Any = None
        here, ehr = self.archive.address, FhirAddress(self.ehr.base_url)
        deliver = partial(deliver_report, wiring=Wiring(clock, look_again_after_s=0))
        return Outside(
            open_sender=lambda _, _contexts: scu.open_sender(here, _US, _SENT, spool_folder=spool),
            find_study=lambda _, uid, *, before_send: scu.find_study(here, _US, uid, before_send=before_send),
            has_instance=lambda _, sought, *, before_send: scu.has_instance(here, _US, sought, before_send=before_send),
            find_instances=lambda _, uid, *, before_send: scu.find_instances(here, _US, uid, before_send=before_send),
            deliver_report=lambda address, build, **named: deliver(ehr, build, **named),
            render=unused,
            look_again_after_s=0,
        )


@contextmanager
def destinations() -> Iterator[Destinations]:
    """Listening until the block ends."""
    kinds = (StudyRootQueryRetrieveInformationModelFind, CTImageStorage, EncapsulatedPDFStorage)
    with StrictEhr() as ehr, StrictPacs(contexts=[build_context(one) for one in kinds]) as archive:
        yield Destinations(ehr, archive)
