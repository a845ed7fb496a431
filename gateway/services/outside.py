"""What the services ask of the outside world; adapters fit these shapes, and a composition root passes them in."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from dicom_node.encapsulated_pdf import ObjectReference, StudyIdentity
from gateway.domain.delivery import Receipt
from gateway.domain.party import DicomAddress, FhirAddress, Identifier
from gateway.domain.report import Rendition, Report, ReportSubject


class ObjectSender(Protocol):
    """One open association."""

    def send(self, part10: bytes, *, before_send: Callable[[], None] = lambda: None) -> int:
        """C-STORE one object as it is; gives the DIMSE status. Raises Transient, Permanent or Ambiguous.

        `before_send` is called once it lies ready, immediately before it leaves; what that raises keeps it here.
        """
        ...


class SenderOpener(Protocol):
    """Opens an association for objects of these (SOP class, transfer syntax) pairs."""

    def __call__(
        self, address: DicomAddress, contexts: frozenset[tuple[str, str]]
    ) -> AbstractContextManager[ObjectSender]:
        """Raises Transient or Permanent when there is none to be had."""
        ...


class StudyFinder(Protocol):
    """Study Root C-FIND at STUDY level."""

    def __call__(
        self, address: DicomAddress, study_instance_uid: str, *, before_send: Callable[[], None]
    ) -> Sequence[StudyIdentity]:
        """The studies of that UID as the PACS has them, none or one. Raises Transient or Permanent."""
        ...


class InstanceFinder(Protocol):
    """Study Root C-FIND at IMAGE level."""

    def __call__(self, address: DicomAddress, reference: ObjectReference, *, before_send: Callable[[], None]) -> bool:
        """True when the PACS has the object. Raises Transient or Permanent."""
        ...


class InstanceLister(Protocol):
    """Study Root C-FIND of a study's series, and of what is in each."""

    def __call__(
        self, address: DicomAddress, study_instance_uid: str, *, before_send: Callable[[], None]
    ) -> Collection[str]:
        """The SOP Instance UIDs of that study that the node has. Raises Transient, or Permanent where it tells none."""
        ...


class ReportDeliverer(Protocol):
    """Brings a report into an EHR exactly once."""

    def __call__(
        self,
        address: FhirAddress,
        build: Callable[[dict[str, Any]], dict[str, Any]],
        *,
        identifier: Identifier,
        patient_identifiers: Sequence[Identifier],
        before_send: Callable[[], None],
        resource_id: str,
        stored_reference: str,
        read_back_first: bool,
        has_just_left: bool,
        is_amendment: bool,
    ) -> Receipt:
        """Raises Transient, Permanent or Ambiguous."""
        ...


class Renderer(Protocol):
    """Makes a report readable."""

    def __call__(self, report: Report, subject: ReportSubject, *, fixed_identifier: str) -> Rendition:
        """HTML and PDF from one template; the same arguments give the same bytes."""
        ...


@dataclass(frozen=True)
class Outside:
    """The adapters, one for each kind of conversation.

    What leaves is asked about first: whoever sends calls `before_send` immediately before each query and request, and
    whatever that raises ends it. A `sender` is asked for by whoever uses it.

    `look_again_after_s`: how long an index there may take to show what was stored.
    """

    open_sender: SenderOpener
    find_study: StudyFinder
    has_instance: InstanceFinder
    find_instances: InstanceLister
    deliver_report: ReportDeliverer
    render: Renderer
    look_again_after_s: float
