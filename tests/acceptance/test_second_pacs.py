"""A clinic with two PACS: each is asked and answered about its own studies."""

from pathlib import Path

from tests.acceptance.scene import address
from tests.acceptance.stage import PACS_REPORT, RETURN, Stage
from tests.peers import dcmtk
from tests.peers.generated import ct_series, part10
from tests.peers.registered_study import RegisteredStudy
from tests.peers.strict_pacs import StrictPacs


def test_the_report_goes_to_the_pacs_that_sent_the_study(stage: Stage, tmp_path: Path) -> None:
    case = stage.open_case(RETURN)
    uid, accession = case.data.study_instance_uid, case.data.accession_number
    [image] = ct_series(slices=1, patient=case.person, study_instance_uid=uid, accession=accession)
    path = tmp_path / "image.dcm"
    path.write_bytes(part10(image))
    with StrictPacs("SECONDPACS") as second:
        second.register(RegisteredStudy.of(image))
        stage.gateway.cli("endpoint", "add-dicom", "second-pacs", address(second.address), "--party", "hospital")
        assert dcmtk.storescu(stage.gateway.address, [path], calling=second.ae_title).is_success
        stage.until_matched(case.id)
        stage.report(case.id)
        stage.until_delivery(case.id, PACS_REPORT, "delivered")
        assert [ds.StudyInstanceUID for ds in second.stored] == [uid]
    assert stage.offered_to_pacs(case) == []
