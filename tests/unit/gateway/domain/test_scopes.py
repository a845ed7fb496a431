import pytest

from gateway.domain.errors import Invalid
from gateway.domain.scopes import EVERYTHING, NOTHING, ScopeMissing, read_scopes


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("system/Patient.rs", "system/Patient.rs"),
        ("system/*.cruds", "system/*.cruds"),
        ("system/Patient.r system/Patient.s", "system/Patient.rs"),
        ("system/Task.r  system/Consent.c", "system/Consent.c system/Task.r"),
        ("system/*.rs system/Patient.crs", "system/*.rs system/Patient.c"),
        ("system/*.rs system/Patient.s", "system/*.rs"),
        ("system/Patient.read", "system/Patient.rs"),
        ("system/Patient.write", "system/Patient.cud"),
        ("system/*.*", "system/*.cruds"),
        ("", ""),
    ],
)
def test_scopes_of_both_versions_are_read(text: str, plain: str) -> None:
    assert str(read_scopes(text)) == plain


@pytest.mark.parametrize(
    "text",
    [
        "system/Patient.sr",
        "system/Patient.rr",
        "system/Patient.",
        "system/Patient",
        "system/patient.r",
        "system/Patient.rs?identifier=x|4711",
        "patient/Patient.rs",
        "user/*.cruds",
        "openid",
        "system/Patient.rs launch",
        "system/Pätient.r",
        "system/Patient.reads",
        f"system/{'P' * 65}.r",
    ],
)
def test_what_is_no_scope_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_scopes(text)
    assert caught.value.at == "scope"
    assert "4711" not in str(caught.value)
    assert text not in str(caught.value)


def test_a_type_that_is_none_is_refused_where_the_types_are_known() -> None:
    for text in ("system/Foo.r", "system/*.cruds system/Foo.r"):
        with pytest.raises(Invalid, match="resource type of FHIR R4") as caught:
            read_scopes(text, of_types=("Patient",))
        assert (caught.value.at, "Foo" in str(caught.value)) == ("scope", False)
    assert str(read_scopes("system/*.r system/Patient.c", of_types=("Patient",))) == "system/*.r system/Patient.c"


@pytest.mark.parametrize(
    ("wished", "own", "both"),
    [
        ("system/*.cruds", EVERYTHING, EVERYTHING),
        ("system/Patient.cruds", "system/*.rs", "system/Patient.rs"),
        ("system/*.rs", "system/Patient.cr system/Task.s", "system/Patient.r system/Task.s"),
        ("system/*.r system/Task.c", "system/*.c system/Task.r", "system/Task.cr"),
        ("system/Patient.r", "system/Task.r", ""),
        ("system/*.d", EVERYTHING, ""),
    ],
)
def test_only_what_both_permit_is_given(wished: str, own: str, both: str) -> None:
    first, second = read_scopes(wished), read_scopes(own)
    assert str(first.within(second)) == str(second.within(first)) == both
    assert bool(first.within(second)) is bool(both)


def test_what_is_missing_is_named() -> None:
    scopes = read_scopes("system/*.r system/Patient.c")
    scopes.require("Patient", "cr")
    scopes.require("Task", "r")
    with pytest.raises(ScopeMissing) as caught:
        scopes.require("Task", "crs")
    assert caught.value.scope == "system/Task.cs"
    assert caught.value.scope in str(caught.value)
    with pytest.raises(ScopeMissing):
        NOTHING.require("Patient", "r")
