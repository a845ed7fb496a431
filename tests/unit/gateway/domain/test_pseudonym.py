import pytest
from pydicom.uid import UID

from gateway.domain.errors import Invalid
from gateway.domain.pseudonym import is_pseudonym_token, pseudonym_token, pseudonymous_uid

_KEY = b"a key for tests"


def test_uid_is_valid_stable_and_unlinkable_between_scopes() -> None:
    uid = pseudonymous_uid(_KEY, "reviewer-a", "1.2.3")
    assert UID(uid).is_valid
    assert uid.startswith("2.25.")
    assert int(uid.removeprefix("2.25.")) < 1 << 128
    assert uid == pseudonymous_uid(_KEY, "reviewer-a", "1.2.3")
    others = {
        pseudonymous_uid(_KEY, "reviewer-b", "1.2.3"),
        pseudonymous_uid(b"other", "reviewer-a", "1.2.3"),
        pseudonymous_uid(_KEY, "reviewer-a", "1.2.4"),
        pseudonymous_uid(_KEY, "reviewer-a1", ".2.3"),
    }
    assert len(others | {uid}) == 5


@pytest.mark.parametrize("prefix", ["C", "CS", "X"])
def test_token_form(prefix: str) -> None:
    for number in range(200):
        token = pseudonym_token(_KEY, "reviewer", str(number), prefix=prefix)
        assert len(token) == 12
        assert token.isascii()
        assert token.isalnum()
        assert token == token.upper()
        assert token.startswith(prefix)
        assert is_pseudonym_token(token)


def test_tokens_differ_by_subject_scope_and_purpose() -> None:
    tokens = {pseudonym_token(_KEY, scope, str(n)) for scope in ("a", "b") for n in range(1000)}
    assert len(tokens) == 2000
    assert pseudonym_token(_KEY, "a", "1", prefix="CS")[2:] != pseudonym_token(_KEY, "a", "1", prefix="CA")[2:]


def test_check_character_sees_single_errors_and_swaps() -> None:
    token = pseudonym_token(_KEY, "reviewer", "someone")
    for at in range(12):
        for letter in "23456789ABCDEFGHJKMNPQRSTUVWXYZ":
            changed = token[:at] + letter + token[at + 1 :]
            assert is_pseudonym_token(changed) == (changed == token)
    for at in range(11):
        swapped = token[:at] + token[at + 1] + token[at] + token[at + 2 :]
        assert is_pseudonym_token(swapped) == (swapped == token)


@pytest.mark.parametrize("text", ["", "CS", "cs2345678923", "CSÖ345678923", "0" * 12])
def test_no_token(text: str) -> None:
    assert not is_pseudonym_token(text)


@pytest.mark.parametrize("prefix", ["", "cs", "0C", "CSX", "Ö", "IO"])
def test_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(Invalid, match="prefix"):
        pseudonym_token(_KEY, "reviewer", "someone", prefix=prefix)
