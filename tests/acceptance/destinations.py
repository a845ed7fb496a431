"""Clinics whose EHR and archive each have a temper of their own, and a signed report on its way to each clinic."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import FileDataset

from gateway.demo import resources
from gateway.domain.party import Identifier
from tests.acceptance.scene import Json, Order, address
from tests.acceptance.stage import DOCUMENT, EHR_REPORT, PACS_REPORT, RETURN, Stage, somebody
from tests.peers import dcmtk
from tests.peers.generated import Person, ct_series, part10
from tests.peers.registered_study import RegisteredStudy
from tests.peers.strict_ehr import StrictEhr
from tests.peers.strict_ehr_script import refuse, store_then_silence
from tests.peers.strict_pacs import DUPLICATE_SOP_INSTANCE, OUT_OF_RESOURCES, StrictPacs

SILENCE_S = 8
"""Longer than the gateway of the stage waits for an answer."""


@dataclass(frozen=True)
class Clinic:
    """One clinic's peers, and the patient and the order that the report is about."""

    stage: Stage
    name: str
    ehr: StrictEhr
    archive: StrictPacs
    patient: Person
    order: Order

    @property
    def study(self) -> RegisteredStudy:
        """As the archive should know it."""
        return RegisteredStudy.of(_image(self.order.data, self.patient))

    def until(self, kind: str, state: str) -> Json:
        """Until the delivery of that kind has come to the state; gives what `delivery list` shows."""
        return self.stage.until_delivery(self.order.case_id, kind, state)

    def waiting(self, kind: str, words: str) -> Json:
        """Until an attempt ended for the reason that has these words, and time will try again; what `case show` says.

        `delivery list` says the same.
        """
        case_id = self.order.case_id
        self.stage.until(case_id, kind, lambda one: one.state == "pending" and words in one.last_error, words)
        [shown] = [one for one in self.stage.waits(case_id) if kind in one["what"]]
        assert words in shown["what"]
        assert shown["who"].startswith("nobody: time")
        assert words in self.stage.delivery(case_id, kind)["waits_for"]
        return shown

    def failed(self, kind: str, words: str) -> Json:
        """Until it failed for the reason that has these words, which `case show` gives with the command for it."""
        case_id = self.order.case_id
        self.stage.until(case_id, kind, lambda one: one.state == "failed" and words in one.last_error, words)
        [shown] = [one for one in self.stage.waits(case_id) if kind in one["what"]]
        assert words in shown["what"]
        failed = self.stage.delivery(case_id, kind)["id"]
        assert shown["who"] == f"an administrator: consilium delivery retry|cancel {failed}"
        return shown

    def retry(self, kind: str) -> None:
        """An administrator has mended the destination."""
        self.stage.gateway.cli("delivery", "retry", self.stage.delivery(self.order.case_id, kind)["id"])

    def receipt(self, kind: str) -> Json:
        """What `delivery show` keeps of the destination's answer."""
        found = self.stage.delivery(self.order.case_id, kind)
        return dict(self.stage.gateway.shown("delivery", "show", found["id"])["receipt"])


def _cast() -> dict[str, tuple[StrictEhr, StrictPacs]]:
    """Clinic -> its EHR and its archive."""
    silence = store_then_silence(SILENCE_S)
    updating = StrictEhr(conditional_create=False, update_create=True, answers=(refuse(503), silence))
    closed = StrictEhr(conditional_create=False, is_searchable=False, answers=(silence,))
    return {
        "busy": (StrictEhr(answers=(503, 503)), StrictPacs("WITHOUTPDF", refuse_pdf=True)),
        "silent": (StrictEhr(answers=(silence,)), StrictPacs("COERCING", coerce=True)),
        "updating": (updating, StrictPacs("LATE", answer_after_s=SILENCE_S)),
        "forgetful": (StrictEhr(ignores={"presentedForm"}, answers=(422,)), StrictPacs("FORGETFUL")),
        "closed": (closed, StrictPacs("FULL")),
    }


@contextmanager
def destinations(stage: Stage, folder: Path) -> Iterator[dict[str, Clinic]]:
    """Every peer listens, every archive has sent its study, and the reviewer has signed each report."""
    with ExitStack() as stack:
        clinics = {}
        for name, (ehr, archive) in _cast().items():
            clinics[name] = _open(stage, name, stack.enter_context(ehr), stack.enter_context(archive), folder)
        clinics["silent"].archive.script(DUPLICATE_SOP_INSTANCE)
        clinics["closed"].archive.script(OUT_OF_RESOURCES, OUT_OF_RESOURCES)
        for clinic in clinics.values():
            if clinic.name != "forgetful":
                clinic.archive.register(clinic.study)
            stage.until_matched(clinic.order.case_id)
            stage.report(clinic.order.case_id)
        for clinic in clinics.values():
            _until_opened(clinic)
        yield clinics


def _open(stage: Stage, name: str, ehr: StrictEhr, archive: StrictPacs, folder: Path) -> Clinic:
    """Register the clinic, post the patient's order and send the study from the archive's AE title."""
    identifier = Identifier("urn:oid:2.16.792.1.2.4", name)
    who = ("--identifier", f"{identifier.system}|{identifier.value}", "--country", "TR")
    where = ("--time-zone", "Europe/Istanbul", "--pacs", address(archive.address), "--ehr", ehr.base_url)
    stage.gateway.cli("clinic", "add", name, *who, *where)
    stage.add_client(name)
    patient = somebody()
    data = stage.case_data(patient=patient, clinic=identifier)
    patient_id = ehr.add_patient(resources.patient_resource(data))
    ehr.add_order(resources.service_request(data, f"Patient/{patient_id}", "Organization/none"))
    order = stage.order(data, (RETURN,), DOCUMENT, client=name)
    path = folder / f"{uuid.uuid4().hex}.dcm"
    path.write_bytes(part10(_image(data, patient)))
    sent = dcmtk.storescu(stage.gateway.address, [path], calling=archive.ae_title)
    assert sent.is_success, sent.output
    return Clinic(stage, name, ehr, archive, patient, order)


def _image(data: resources.CaseData, patient: Person) -> FileDataset:
    accession, uid = data.accession_number, data.study_instance_uid
    return ct_series(slices=1, patient=patient, study_instance_uid=uid, accession=accession)[0]


def _until_opened(clinic: Clinic) -> None:
    """Until the report is rendered and stands in the outbox for both destinations."""
    for kind in (EHR_REPORT, PACS_REPORT):
        clinic.stage.until(clinic.order.case_id, kind, lambda found: bool(found.payload_sha256), f"{kind} to be opened")
