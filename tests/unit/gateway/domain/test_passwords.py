"""Passwords are long and not obvious; nothing is asked of the kinds of their characters."""

import pytest

from gateway.domain.errors import Invalid
from gateway.domain.passwords import LONGEST, SHORTEST, check_password

GOOD = [
    "correct horse battery",
    "kırmızı balık gölde",
    "ölçülü biçili",
    "aaaabbbbccccddddeeee",
    "x" * 0 + "v9 quiet rivers",
]
OBVIOUS = [
    "password1234",
    "Password123456",
    "aaaaaaaaaaaa",
    "abcabcabcabcabc",
    "123456789012",
    "qwertyuiop123",
    "ayse.demir2026!",
    "DemirAyseDemir",
    "consilium-2026",
    "abababababab",
    "aaaaaaabbbbbbb",
    "administrator!",
    "1q2w3e4r5t1q2w3e4r5t",
]


@pytest.mark.parametrize("password", GOOD)
def test_a_good_one_is_taken(password: str) -> None:
    assert check_password(password, name="ayse.demir") == password


@pytest.mark.parametrize("password", OBVIOUS)
def test_an_obvious_one_is_refused_and_not_repeated(password: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_password(password, name="ayse.demir")
    assert password not in str(refusal.value)


def test_its_length_is_that_of_its_characters_as_they_are_kept() -> None:
    words = "seven quiet rivers run north of nine old mills " * 6
    assert check_password(words[:SHORTEST], name="nobody") == words[:SHORTEST]
    assert len(check_password(words[:LONGEST], name="nobody")) == LONGEST
    for wrong in (words[: SHORTEST - 1], words[: LONGEST + 1], ""):
        with pytest.raises(Invalid):
            check_password(wrong, name="nobody")


def test_composed_and_decomposed_letters_are_the_same_password() -> None:
    assert check_password("gu\u0308zel gu\u0308nler var", name="nobody") == "g\u00fczel g\u00fcnler var"
