"""docs/fhir.md says what the code does."""

import re
from pathlib import Path

from fhir_mappings.search_parameters import SEARCH_PARAMETERS
from gateway.services.resource_rules import READABLE, WRITABLE, WRITTEN_BY_THE_GATEWAY

PAGE = Path(__file__).parents[4] / "docs" / "fhir.md"
_ROW = re.compile(r"\| (?P<type>\w+) \| (?P<writer>clinic|reviewer|the gateway) \| (?P<names>[^|]*) \|")
_ALWAYS = ("_id", "_lastUpdated")


def test_the_table_of_types_is_true() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Who writes what")[2].partition("\n## ")[0]
    rows = [match.groupdict() for match in map(_ROW.fullmatch, section.splitlines()) if match]
    assert {row["type"] for row in rows} == READABLE
    for row in rows:
        names = [name for name in row["names"].split(", ") if name]
        assert names == [name for name in SEARCH_PARAMETERS[row["type"]] if name not in _ALWAYS]
        writers = [kind.value for kind, types in WRITABLE.items() if row["type"] in types]
        assert [row["writer"]] == (writers or ["the gateway"])
        assert (row["writer"] == "the gateway") == (row["type"] in WRITTEN_BY_THE_GATEWAY)
