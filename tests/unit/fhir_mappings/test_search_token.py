import pytest

from fhir_mappings.search_token import read_identifier_query, read_identifier_token, read_version_tag
from gateway.domain.errors import Invalid
from gateway.domain.party import Identifier


def test_an_identifier_has_a_system_and_a_value() -> None:
    assert read_identifier_token("urn:mrn|4711", at="x") == Identifier("urn:mrn", "4711")
    assert read_identifier_token(r"urn:a\|b|4\,7\\11\$", at="x") == Identifier("urn:a|b", r"4,7\11$")
    query = "?identifier=https%3A%2F%2Fa.example%2Fmrn%7C47%2011"
    assert read_identifier_query(query, at="x") == Identifier("https://a.example/mrn", "47 11")


@pytest.mark.parametrize("token", ["", "4711", "|4711", "urn:mrn|", "a|b,c|d", "a\\b|c"])
def test_any_other_token_is_refused(token: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_identifier_token(token, at="here")
    assert refusal.value.at == "here"


@pytest.mark.parametrize(
    "query", ["", "identifier", "name=a", "identifier=a|b&identifier=c|d", "identifier:of-type=a|b"]
)
def test_any_other_query_is_refused(query: str) -> None:
    with pytest.raises(Invalid):
        read_identifier_query(query, at="x")


def test_version_tags() -> None:
    assert [read_version_tag(tag, at="x") for tag in ('W/"3"', '"12"')] == [3, 12]
    for tag in ("3", "*", 'W/"0"', 'W/"a"', 'W/"1", W/"2"'):
        with pytest.raises(Invalid):
            read_version_tag(tag, at="x")
