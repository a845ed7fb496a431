"""Names are compared folded; what both sides say and say differently is a contradiction."""

from datetime import date

import pytest

from gateway.domain.identity import PersonIdentity, contradictions, fold_name


@pytest.mark.parametrize(
    "name", ["ÖZTÜRK^AYŞE", "Oeztuerk, Ayse", "OZTURK AYSE", "ayşe öztürk", "Ayse^Ozturk", "Öztürk Ayşe"]
)
def test_one_name_however_it_is_written(name: str) -> None:
    assert fold_name(name) == fold_name("Öztürk^Ayşe")


@pytest.mark.parametrize(("left", "right"), [("IŞIL", "ışıl"), ("İNCİ", "inci"), ("Groß", "GROSS"), ("Åsa", "asa")])
def test_letters_that_fold(left: str, right: str) -> None:
    assert fold_name(left) == fold_name(right)


@pytest.mark.parametrize("other", ["Öztürk^Fatma", "Öz^Ayşe", "Öztürk^Ayşe^Işıl", "Ozturk"])
def test_another_name_stays_another(other: str) -> None:
    assert fold_name(other) != fold_name("Öztürk^Ayşe")


def _person(
    name: str = "Öztürk^Ayşe", birth_date: date | None = date(1967, 4, 21), sex: str = "female"
) -> PersonIdentity:
    return PersonIdentity((name,) if name else (), birth_date, sex)


def test_each_difference_is_shown_with_both_values() -> None:
    found = contradictions(_person("Kaya^Ali", date(1970, 1, 1), "male"), _person())
    assert [(one.field, one.in_header, one.in_order) for one in found] == [
        ("name", "Kaya^Ali", "Öztürk^Ayşe"),
        ("birth date", "1970-01-01", "1967-04-21"),
        ("sex", "male", "female"),
    ]


def test_what_one_side_does_not_say_contradicts_nothing() -> None:
    assert contradictions(_person("", None, ""), _person()) == ()
    assert contradictions(_person(), _person("", None, "")) == ()


def test_one_of_several_names_is_enough() -> None:
    order = PersonIdentity(("Ayşe Kaya", "Ayşe Öztürk"), None, "")
    assert contradictions(_person(), order) == ()


@pytest.mark.parametrize(
    "in_header", ["Öztürk^Ayşe^^Dr.", "Öztürk^Ayşe^^^MD", "Öztürk^Ayşe^^Prof. Dr.^PhD", "OEZTUERK^AYSE^^Frau"]
)
def test_titles_say_nothing_of_who_it_is(in_header: str) -> None:
    assert contradictions(_person(in_header), _person("Ayşe Öztürk")) == ()
    assert contradictions(_person("Ayşe Öztürk"), _person(in_header)) == ()


@pytest.mark.parametrize("in_header", ["Öztürk^Fatma^^Dr.", "Öztürk^Ayşe^Işıl^Dr."])
def test_a_title_hides_no_other_name(in_header: str) -> None:
    assert [one.field for one in contradictions(_person(in_header), _person("Öztürk^Ayşe^^Dr."))] == ["name"]


def test_a_title_alone_is_no_name() -> None:
    assert contradictions(_person("^^^Dr."), _person()) == ()
