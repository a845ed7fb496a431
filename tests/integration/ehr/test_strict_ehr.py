"""Reports into an EHR that checks, over real sockets: exactly one copy, whatever becomes of the answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.domain.errors import Ambiguous, Forbidden, Permanent, Transient
from gateway.domain.party import FhirAddress
from tests.integration.certificates import Authority
from tests.integration.ehr.scenery import HASTY, MRN, PATIENT, PDF_SHA256, deliver, wired
from tests.peers.strict_ehr import StrictEhr
from tests.peers.strict_ehr_access import Access
from tests.peers.strict_ehr_script import lose, refuse, store_then_silence
from workers.ehr.diagnose import diagnose
from workers.ehr.exchange import Limits

KINDS = {
    "conditional create": (True, False),
    "update under our id, as Epic": (False, True),
    "search only": (False, False),
}


@pytest.fixture(params=KINDS)
def ehr(request: pytest.FixtureRequest) -> Iterator[StrictEhr]:
    conditional_create, update_create = KINDS[request.param]
    with StrictEhr(conditional_create=conditional_create, update_create=update_create) as running:
        running.add_patient(PATIENT)
        yield running


def test_a_report_arrives_once_under_the_ehrs_own_patient(ehr: StrictEhr) -> None:
    address = FhirAddress(ehr.base_url)

    first = deliver(address)
    second = deliver(address)

    (stored,) = ehr.reports()
    (patient,) = ehr.records.all_of("Patient")
    assert stored["subject"]["reference"] == f"Patient/{patient['id']}"
    assert (first.status, first.sha256) == ("HTTP 201", PDF_SHA256)
    assert first.reference == second.reference == f"DiagnosticReport/{stored['id']}/_history/1"
    assert second.note == "was there already"


def test_503_then_201_is_one_report(ehr: StrictEhr) -> None:
    ehr.script.add(refuse(503, retry_after="7"))
    address = FhirAddress(ehr.base_url)

    with pytest.raises(Transient) as caught:
        deliver(address)
    receipt = deliver(address)

    assert caught.value.retry_after_s == 7
    assert receipt.status == "HTTP 201"
    assert len(ehr.reports()) == 1


def test_a_write_stored_in_silence_is_read_back_and_not_repeated(ehr: StrictEhr) -> None:
    ehr.script.add(store_then_silence(5))
    address = FhirAddress(ehr.base_url)

    with pytest.raises(Ambiguous):
        deliver(address, limits=HASTY)
    receipt = deliver(address, read_back_first=True)

    assert receipt.note == "was there already"
    assert len(ehr.reports()) == 1
    assert len(ehr.writes()) == 1


def test_a_claimed_success_that_kept_nothing_is_sent_again(ehr: StrictEhr) -> None:
    ehr.script.add(lose(201))
    address = FhirAddress(ehr.base_url)

    with pytest.raises(Ambiguous):
        deliver(address)
    deliver(address, read_back_first=True)

    assert len(ehr.reports()) == 1


def test_a_dropped_pdf_is_noticed(ehr: StrictEhr) -> None:
    ehr.ignores = frozenset({"presentedForm"})

    with pytest.raises(Permanent, match="stored the report without its PDF"):
        deliver(FhirAddress(ehr.base_url))


def test_a_patient_that_exists_twice_gets_nothing(ehr: StrictEhr) -> None:
    ehr.add_patient(PATIENT)

    with pytest.raises(Permanent, match="several Patients"):
        deliver(FhirAddress(ehr.base_url))
    assert not ehr.writes()


def test_a_refused_report_names_the_rule_and_no_patient(ehr: StrictEhr) -> None:
    with pytest.raises(Permanent) as caught:
        deliver(FhirAddress(ehr.base_url), pdf=b"no pdf at all")

    assert "HTTP 422 (invalid)" in str(caught.value)
    assert MRN.value not in str(caught.value)
    assert not ehr.reports()


def test_a_grant_that_ended_lets_no_byte_of_the_report_out(ehr: StrictEhr) -> None:
    def refuse_grant() -> None:
        raise Forbidden("revoked")

    with pytest.raises(Forbidden):
        deliver(FhirAddress(ehr.base_url), before_send=refuse_grant)

    assert [each.path for each in ehr.requests] == ["/fhir/metadata"]


def test_an_amendment_replaces_the_report_under_its_version(ehr: StrictEhr) -> None:
    address = FhirAddress(ehr.base_url)
    first = deliver(address)

    second = deliver(address, status="amended", pdf=b"%PDF-1.7 second", is_amendment=True)

    (stored,) = ehr.reports()
    assert stored["status"] == "amended"
    assert second.reference == first.reference.replace("/_history/1", "/_history/2")
    assert ehr.writes()[-1].headers["If-Match"] == 'W/"1"'


def test_an_unknown_patient_gets_nothing() -> None:
    with StrictEhr() as ehr:
        with pytest.raises(Permanent, match="knows no Patient"):
            deliver(FhirAddress(ehr.base_url))
        assert not ehr.writes()


def test_nothing_is_sent_twice_where_nobody_can_look() -> None:
    with StrictEhr(conditional_create=False, is_searchable=False) as ehr:
        ehr.add_patient(PATIENT)
        ehr.script.add(store_then_silence(5))
        address = FhirAddress(ehr.base_url)

        for read_back_first in (False, True, True):
            with pytest.raises(Ambiguous):
                deliver(address, limits=HASTY, read_back_first=read_back_first)

        assert len(ehr.writes()) == 1


def test_an_ehr_that_is_down_is_tried_later() -> None:
    with StrictEhr() as ehr:
        address = FhirAddress(ehr.base_url)

    with pytest.raises(Transient, match="nothing was sent"):
        deliver(address)


def test_over_tls_only_a_trusted_certificate_gets_the_report(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with StrictEhr(tls=authority.server_context()) as ehr:
        ehr.add_patient(PATIENT)

        with pytest.raises(Transient, match="certificate is not trusted"):
            deliver(FhirAddress(ehr.base_url))
        assert not ehr.requests
        trusting = FhirAddress(ehr.base_url, ca_file=str(authority.file))
        receipt = deliver(trusting)

        assert receipt.status == "HTTP 201"
        assert all(step.is_ok for step in diagnose(trusting, wiring=wired()))


def test_the_deadline_holds_over_tls_too(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with StrictEhr(tls=authority.server_context()) as ehr:
        ehr.add_patient(PATIENT)
        ehr.script.add(store_then_silence(20))
        patient = Limits(read_timeout_s=30.0, total_timeout_s=1.0)

        with pytest.raises(Ambiguous):
            deliver(FhirAddress(ehr.base_url, ca_file=str(authority.file)), limits=patient)

        assert len(ehr.reports()) == 1


def test_a_fixed_token_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("let-me-in\n", encoding="utf-8")
    with StrictEhr(access=Access(bearer_token="let-me-in")) as ehr:
        ehr.add_patient(PATIENT)

        with pytest.raises(Permanent, match="401"):
            deliver(FhirAddress(ehr.base_url))
        deliver(FhirAddress(ehr.base_url, token_file=str(tmp_path / "token")))

        assert len(ehr.reports()) == 1


def test_client_credentials_cached_and_renewed_once(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret", encoding="utf-8")
    access = Access(client_id="consilium", client_secret="s3cret")
    with StrictEhr(access=access) as ehr:
        ehr.add_patient(PATIENT)
        secret_file = str(tmp_path / "secret")
        address = FhirAddress(ehr.base_url, "", ehr.token_url, "consilium", secret_file)
        wiring = wired()

        deliver(address, wiring=wiring)
        deliver(address, wiring=wiring)
        given_out_before = access.tokens_given_out
        access.revoke_all()
        deliver(address, wiring=wiring)

        assert (given_out_before, access.tokens_given_out) == (1, 2)
        assert len(ehr.reports()) == 1
        assert all(step.is_ok for step in diagnose(address, wiring=wired()))


def test_a_wrong_secret_is_for_a_person(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("wrong", encoding="utf-8")
    with StrictEhr(access=Access(client_id="consilium", client_secret="right")) as ehr:
        address = FhirAddress(ehr.base_url, "", ehr.token_url, "consilium", str(tmp_path / "secret"))

        with pytest.raises(Permanent, match=r"\(invalid_client\)"):
            deliver(address)
        assert diagnose(address, wiring=wired())[-1].name == "token"


def test_the_connection_test_describes_the_ehr(ehr: StrictEhr) -> None:
    steps = diagnose(FhirAddress(ehr.base_url), wiring=wired())

    assert [step.name for step in steps] == [
        "name resolution",
        "TCP",
        "TLS certificate",
        "token",
        "metadata",
        "DiagnosticReport",
        "Patient",
        "access",
    ]
    assert all(step.is_ok for step in steps)
    assert not ehr.writes()


def test_a_port_where_nobody_listens_ends_the_connection_test() -> None:
    with StrictEhr() as ehr:
        address = FhirAddress(ehr.base_url)

    last = diagnose(address, wiring=wired())[-1]

    assert (last.name, last.is_ok) == ("TCP", False)
    assert "port" in last.remedy
