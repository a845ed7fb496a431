"""Which letters a character set has, and what it is called."""

import pytest

from dicom_node.text import can_spell, character_set_name


@pytest.mark.parametrize(
    ("character_set", "is_spelt"),
    [
        ("ISO_IR 192", True),
        ("ISO_IR 148", True),
        ("ISO_IR 100", False),
        ("", False),
        ("ISO_IR 6", False),
        ("ISO 2022 IR 100\\ISO 2022 IR 148", True),
        ("\\ISO 2022 IR 100", False),
    ],
)
def test_letters_of_a_turkish_name(character_set: str, is_spelt: bool) -> None:
    assert can_spell("Öztürk^Ayşe Işıl", character_set) is is_spelt


def test_a_name_in_capitals_without_accents_can_always_be_spelt() -> None:
    assert can_spell("OZTURK^AYSE", "")


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "ISO_IR 100"),
        ("iso ir 100 ", "ISO_IR 100"),
        ("\\ISO 2022 IR 148", "ISO 2022 IR 148"),
        ("", "ISO_IR 6"),
        ("OZTURK^AYSE", "ISO_IR 6"),
    ],
)
def test_only_character_sets_that_there_are_have_a_name(character_set: str, name: str) -> None:
    assert character_set_name(character_set) == name
