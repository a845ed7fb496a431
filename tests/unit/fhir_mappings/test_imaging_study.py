from dataclasses import replace

import pytest

from fhir_mappings.imaging_study import imaging_study_to_fhir
from fhir_mappings.validation import check_resource
from tests.unit.fhir_mappings.catalogue import CASE, INSTANCES, STUDY


def test_it_counts_and_orders_series_and_instances() -> None:
    resource = imaging_study_to_fhir(STUDY, INSTANCES, CASE)
    check_resource(resource, ("ImagingStudy",))
    assert (resource["numberOfSeries"], resource["numberOfInstances"]) == (2, 3)
    assert [[one["number"] for one in series["instance"]] for series in resource["series"]] == [[1, 2], [1]]
    assert resource == imaging_study_to_fhir(STUDY, INSTANCES[::-1], CASE)


def test_what_the_header_does_not_say_is_not_said() -> None:
    bare = replace(STUDY, accession_number="", study_date=None, study_description="")
    instance = replace(INSTANCES[0], modality="", series_number=-1, instance_number=None)
    resource = imaging_study_to_fhir(bare, [instance], CASE)
    check_resource(resource, ("ImagingStudy",))
    assert {"started", "description", "modality"} & set(resource) == set()
    assert len(resource["identifier"]) == 1
    assert "number" not in resource["series"][0]
    assert "code" not in resource["series"][0]["modality"]


def test_a_study_without_instances_is_none() -> None:
    with pytest.raises(ValueError, match="instances"):
        imaging_study_to_fhir(STUDY, [], CASE)
