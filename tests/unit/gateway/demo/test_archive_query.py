"""C-FIND matching of the demo's PACS (PS3.4 C.2.2.2, C.4.1)."""

import pytest
from pydicom import Dataset

from gateway.demo.archive_query import Unanswerable, matches


def test_a_study_is_answered_once_with_what_was_asked() -> None:
    query = _dataset(QueryRetrieveLevel="STUDY", StudyInstanceUID="1.2", PatientName="", StudyID="")
    [answer] = matches(query, _held())
    assert (answer.PatientName, answer.StudyID) == ("Öztürk^Ayşe", "")
    assert "PatientID" not in answer


def test_images_match_by_uid_list_and_wildcard() -> None:
    query = _dataset(QueryRetrieveLevel="IMAGE", StudyInstanceUID="1.2", SeriesInstanceUID="1.2.1", SOPInstanceUID="")
    assert len(list(matches(query, _held()))) == 2
    query.SOPInstanceUID = ["1.2.1.2", "9"]
    assert [each.SOPInstanceUID for each in matches(query, _held())] == ["1.2.1.2"]
    by_name = _dataset(QueryRetrieveLevel="STUDY", StudyInstanceUID="", PatientName="Özt*")
    assert [each.StudyInstanceUID for each in matches(by_name, _held())] == ["1.2"]


@pytest.mark.parametrize(
    "query", [{}, {"QueryRetrieveLevel": "PATIENT"}, {"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": "1.2"}]
)
def test_what_breaks_the_model_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(Unanswerable):
        list(matches(_dataset(**query), _held()))


def _held() -> list[Dataset]:
    return [
        _dataset(
            PatientName=name,
            StudyInstanceUID=study,
            SeriesInstanceUID=f"{study}.1",
            SOPInstanceUID=f"{study}.1.{number}",
        )
        for study, name in (("1.2", "Öztürk^Ayşe"), ("1.3", "Güneş^Çağrı"))
        for number in (1, 2)
    ]


def _dataset(**values: str) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds
