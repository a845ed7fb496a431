"""The rows of a busy installation: four clinics, ten thousand patients with a case or two, and who looked at them.

Of twenty rows thirteen are about a patient, seven of these within a case; the others are tokens, searches and objects
that arrive before they have a case. The oldest twentieth is of a version that named the case alone, and the cases of a
list in the details of one row. One patient has 5,000 rows, the others some sixty.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
CLINICS, PATIENTS = 4, 10_007
"""A prime: each patient has rows of all twenty kinds."""
BUSY = 0
"""The patient with 5,000 rows, in a trail of a million."""
_EVERY_OF_BUSY = 129
_UNNAMED_PART = 20
_SPREAD = 7919
Values = dict[str, object]


def clinic_id(number: int) -> str:
    """Of one of CLINICS; a patient's is of the same number, modulo CLINICS."""
    return f"clinic{number % CLINICS:010}"


def patient_id(number: int) -> str:
    """Of one of PATIENTS."""
    return f"patient{number:09}"


def case_id(patient: int, which: int) -> str:
    """Every tenth patient has a second case."""
    return f"case{patient:010}{which if patient % 10 == 0 else 0:02}"


def row(number: int, of: int) -> Values:
    """The row with this id, in a trail of so many, as `store.audit.record` would have left it."""
    patient = BUSY if number % _EVERY_OF_BUSY == 0 else number * _SPREAD % PATIENTS
    values: Values = {"case_id": None, "patient_id": None, "outcome": "success"}
    kind, is_of_before = _KINDS[number % len(_KINDS)], number <= of // _UNNAMED_PART
    values |= _viewed_before(number) if kind is _viewed and is_of_before else kind(number, patient)
    if is_of_before and values["case_id"]:
        values["patient_id"] = None
    return values | {"id": number, "at": BEGINNING + timedelta(seconds=number)}


def _read(number: int, patient: int) -> Values:
    of_whom = patient_id(patient)
    values: Values = {"actor": _client(patient), "action": "fhir.read", "patient_id": of_whom}
    values |= {"details": _from(patient)}
    return values | {"subject": f"Patient/{of_whom}/_history/{1 + number % 3}"}


def _search(number: int, patient: int) -> Values:
    values = {"actor": _client(patient), "action": "fhir.search", "subject": "ServiceRequest"}
    by: Values = {"by": ["_lastUpdated", "status"][: 1 + number % 2]}
    return values | {"details": _from(patient) | by}


def _token(_number: int, patient: int) -> Values:
    return {"actor": _client(patient), "action": "oauth.token", "subject": _client(patient), "details": {}}


def _received(number: int, patient: int) -> Values:
    details = {"association": f"association{number // 100:09}", "state": "accepted"}
    actor = f"pacs{patient % CLINICS}"
    return {"actor": actor, "action": "instance.received", "subject": f"instance/{number}", "details": details}


def _matched(number: int, patient: int) -> Values:
    details = {"by": "accession-number", "instances": number % 400}
    values = {"actor": "matching", "action": "study.matched", "subject": f"study/study{number:011}"}
    return values | _in_case(number, patient) | {"details": details}


def _granted(number: int, patient: int) -> Values:
    where = {"endpoint": "reviewer", "address": "192.0.2.40:104", "grant": f"grant{number:011}"}
    values = {"actor": "gateway", "action": "egress.granted", "subject": f"delivery/delivery{number:08}"}
    return values | _in_case(number, patient) | {"details": _ground(number, patient) | where}


def _delivered(number: int, patient: int) -> Values:
    values = {"actor": "gateway", "action": "delivery.delivered", "subject": f"delivery/delivery{number - 1:08}"}
    return values | _in_case(number, patient) | {"details": {"status": "0000", "objects": number % 400}}


def _read_by_reviewer(number: int, patient: int) -> Values:
    case = _in_case(number, patient)
    values = {"actor": "reviewing", "action": "read.granted", "subject": f"ServiceRequest/{case['case_id']}"}
    where = {"party": "reviewer", "address": "198.51.100.9", "grant": f"grant{number:011}"}
    return values | case | {"details": _ground(number, patient) | where}


def _shown(number: int, patient: int) -> Values:
    case = _in_case(number, patient)
    return (
        {"actor": "cli:coordinator", "action": "case.show", "subject": f"case/{case['case_id']}"} | case | _NO_DETAILS
    )


def _viewed(number: int, patient: int) -> Values:
    values = {"actor": "user:coordinator", "action": "page.view", "subject": "page/waits"}
    return values | _in_case(number, patient) | _NO_DETAILS


def _viewed_before(number: int) -> Values:
    seen = [case_id((number + one) % PATIENTS, 0) for one in range(10)]
    return {"actor": "user:coordinator", "action": "page.view", "subject": "page/waits", "details": {"cases": seen}}


def _client(patient: int) -> str:
    return f"ehr{patient % CLINICS}"


def _from(patient: int) -> Values:
    return {"party": clinic_id(patient), "address": f"192.0.2.{patient % CLINICS + 7}"}


def _in_case(number: int, patient: int) -> Values:
    return {"case_id": case_id(patient, number % 2), "patient_id": patient_id(patient)}


def _ground(number: int, patient: int) -> Values:
    ground: Values = {"decision": f"decision{number:08}", "kind": "study", "flow": "review", "to": "reviewer"}
    return ground | {"purposes": ["TREAT"], "consents": [f"consent{patient:09}/1"]}


_NO_DETAILS: Values = {"details": {}}
_KINDS: tuple[Callable[[int, int], Values], ...] = (
    *(_read, _received, _read, _token, _received, _read, _matched, _granted, _delivered, _read_by_reviewer),
    *(_search, _received, _read, _shown, _received, _read, _viewed, _read_by_reviewer, _received, _read),
)
