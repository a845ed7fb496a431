"""Real files through the journey, each for an order of its own: at the reviewer's node, or held with the reason."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian

from tests.acceptance.gateway import wait_for
from tests.acceptance.scene import PACS_AE_TITLE
from tests.acceptance.stage import DISCLOSE, PATIENCE_S, STUDY, Case, Stage, somebody
from tests.peers import dcmtk
from tests.peers.files import Kind, RealFile, real_files

PROPOSED = {ImplicitVRLittleEndian: "-xi", ExplicitVRBigEndian: "-xb"}
"""storescu's option for what dcmsend would turn into explicit VR little endian."""
MAY_SHOW_TEXT = "images of this SOP class may show text, and nothing declares that they do not"
HELD = {
    "gdcm-US-ALOKA-16.dcm": MAY_SHOW_TEXT,
    "examples_palette.dcm": MAY_SHOW_TEXT,
    "SC_rgb_jpeg_dcmtk.dcm": MAY_SHOW_TEXT,
    "JPGExtended.dcm": MAY_SHOW_TEXT,
    "eCT_Supplemental.dcm": "patient name still readable here at (0008,0008)",  # whose name is that of the method
    "OBXXXX1A_rle_2frame.dcm": "collision: another object came under the same SOP Instance UID",
    "examples_ybr_color.dcm": MAY_SHOW_TEXT,
    "ExplVR_BigEnd.dcm": MAY_SHOW_TEXT,
    "image_dfl.dcm": MAY_SHOW_TEXT,
} | {one.name: MAY_SHOW_TEXT for one in real_files(Kind.CHARACTER_SET) if one.name.startswith("chr")}
"""Why these wait for a person."""
REFUSED = {"JPEGLSNearLossless_16.dcm": "StudyInstanceUID is missing"}
SAME_OBJECT = {
    "MR_small_implicit.dcm": "MR_small.dcm",
    "MR_small_jpeg_ls_lossless.dcm": "MR_small.dcm",
    "MR_small_RLE.dcm": "MR_small.dcm",
    "MR_small_expb.dcm": "MR_small.dcm",
    "emri_small_jpeg_2k_lossless.dcm": "emri_small.dcm",
    "emri_small_big_endian.dcm": "emri_small.dcm",
}
"""Encodings of one object: kept, and the one that came first is sent."""


@dataclass
class Sent:
    """A study of real files: its order, and what dcmtk said of each file, in the order in which they were sent."""

    case: Case
    outcomes: dict[str, dcmtk.Outcome] = field(default_factory=dict)


@pytest.fixture(scope="module")
def sent(stage: Stage) -> Iterator[dict[str, Sent]]:
    """File -> its study; everything has been ordered and sent before the first test looks."""
    studies: dict[str, Sent] = {}
    by_file = {}
    for real in real_files():
        header = _header(real)
        uid = str(header.get("StudyInstanceUID", "") or "")
        if uid not in studies:
            studies[uid] = Sent(_ordered(stage, header, uid))
        studies[uid].outcomes[real.name] = _send(stage, real)
        by_file[real.name] = studies[uid]
    yield by_file


def _kept(names: dict[str, str] | None = None) -> list[RealFile]:
    return [one for one in real_files() if one.name not in REFUSED and (names is None or one.name in names)]


@pytest.mark.parametrize(
    "real", [one for one in _kept() if one.name not in HELD | SAME_OBJECT], ids=lambda each: each.name
)
def test_a_real_file_reaches_the_reviewer_as_it_is(stage: Stage, sent: dict[str, Sent], real: RealFile) -> None:
    study = sent[real.name]
    assert study.outcomes[real.name].stored == 1
    stage.until_delivery(study.case.id, STUDY, "delivered")
    [received] = stage.at_reviewer(study.case)
    assert received.PatientName == received.PatientID == stage.story(study.case.id)["pseudonym"]
    assert received.StudyInstanceUID != study.case.data.study_instance_uid
    assert received.file_meta.TransferSyntaxUID == real.transfer_syntax_uid
    assert _pixels(str(received.filename)) == _pixels(str(real.path))
    assert not any(STUDY in one["what"] for one in stage.waits(study.case.id))


@pytest.mark.parametrize("real", _kept(HELD), ids=lambda each: each.name)
def test_a_real_file_that_may_identify_is_held_and_says_why(
    stage: Stage, sent: dict[str, Sent], real: RealFile
) -> None:
    study, reason = sent[real.name], HELD[real.name]
    assert study.outcomes[real.name].stored == 1
    wait_for(lambda: any(reason in one["what"] for one in stage.waits(study.case.id)), reason, PATIENCE_S)
    [wait] = [one for one in stage.waits(study.case.id) if reason in one["what"]]
    assert wait["who"].startswith("a coordinator: consilium quarantine show")
    assert stage.at_reviewer(study.case) == []
    assert stage.granted(study.case) == []


@pytest.mark.parametrize("real", _kept(SAME_OBJECT), ids=lambda each: each.name)
def test_another_encoding_of_a_real_file_is_kept_and_not_sent_twice(
    stage: Stage, sent: dict[str, Sent], real: RealFile
) -> None:
    study = sent[real.name]
    assert study.outcomes[real.name].stored == 1
    stage.until_delivery(study.case.id, STUDY, "delivered")
    assert len(stage.at_reviewer(study.case)) == 1
    assert stage.quarantined(study.case) == []
    [line] = stage.studies(study.case.data.study_instance_uid)
    assert line["instances"] == len(study.outcomes)
    assert line["waits_for"] == ""


@pytest.mark.parametrize("name", REFUSED)
def test_a_real_file_without_the_uids_of_an_object_is_refused(stage: Stage, sent: dict[str, Sent], name: str) -> None:
    outcome = sent[name].outcomes[name]
    assert outcome.stored == 0
    assert "with status ERROR" in outcome.output
    assert REFUSED[name] in stage.gateway.programs["dicom-node"].log()
    assert any(one["what"] == "the study" for one in stage.waits(sent[name].case.id))


@pytest.mark.parametrize("real", real_files(Kind.BROKEN), ids=lambda each: each.name)
def test_a_broken_real_file_leaves_nothing_behind(stage: Stage, sent: dict[str, Sent], real: RealFile) -> None:
    before = stage.gateway.shown("study", "list")
    assert _send(stage, real).stored == 0
    assert stage.gateway.shown("study", "list") == before


def _send(stage: Stage, real: RealFile) -> dcmtk.Outcome:
    """By dcmtk, in the transfer syntax that the file is in."""
    option = PROPOSED.get(UID(real.transfer_syntax_uid))
    node, paths = stage.gateway.address, [real.path]
    if option:
        return dcmtk.storescu(node, paths, calling=PACS_AE_TITLE, options=("-R", option))
    return dcmtk.dcmsend(node, paths, calling=PACS_AE_TITLE, options=("--decompress-never",))


def _pixels(path: str) -> object:
    """The pixel data as they stand in the file, in either byte order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = dcmread(path)
    return ds.get("PixelData", ds.get("WaveformSequence") and "waveform")


def _header(real: RealFile) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = dcmread(real.path, stop_before_pixels=True)
        header.decode()
    return header


def _ordered(stage: Stage, header: Dataset, study_instance_uid: str) -> Case:
    """An order that names the study, for a patient as the header describes her."""
    name = str(header.get("PatientName", "") or "").split("=")[0]
    words = " ".join(name.split("^")[:3]).split() or ["Nobody"]  # family, given and middle; titles are no name
    born = str(header.get("PatientBirthDate", "") or "") or "19600101"
    return stage.open_case(
        DISCLOSE,
        patient=somebody(),
        family=words[0],
        given=" ".join(words[1:]) or words[0],
        birth_date=date(int(born[:4]), int(born[4:6]), int(born[6:])),
        gender={"F": "female", "M": "male", "O": "other"}.get(str(header.get("PatientSex", "") or ""), "unknown"),
        study_instance_uid=study_instance_uid,
        accession_number="",
    )
