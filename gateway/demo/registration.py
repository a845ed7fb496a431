"""The administrator's part of the demo: who the gateway exchanges with, and the clients they come with."""

import json
from dataclasses import dataclass
from typing import Self

from gateway.demo.cast import CLINIC_NAME, REVIEWER_NAME
from gateway.demo.fhir_client import FhirClient
from gateway.demo.places import written
from gateway.demo.stage import Stage
from gateway.domain.party import Identifier

_PLACE = ("--country", "TR", "--time-zone", "Europe/Istanbul")


@dataclass(frozen=True)
class Clients:
    """Each side's own OAuth client, with a token in hand; both hang up at the end of the block."""

    clinic: FhirClient
    reviewer: FhirClient

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clinic.close()
        self.reviewer.close()


def register(stage: Stage) -> Clients:
    """Clinic with PACS and EHR, reviewer with a node, an OAuth client for each; all take effect at once."""
    stage.screen.step("The administrator registers the clinic, the reviewer and their clients")
    cast, case = stage.cast, stage.cast.case
    pacs, ehr, node = written(cast.hospital.address), cast.ehr.base_url, written(cast.reviewer.address)
    hospital = ("--pacs", pacs, "--ehr", ehr, "--ehr-token-file", str(cast.ehr.token_file))
    stage.commands(
        ("clinic", "add", CLINIC_NAME, *_identified(case.clinic), *_PLACE, *hospital),
        ("reviewer", "add", REVIEWER_NAME, *_identified(case.reviewer), *_PLACE, "--node", node),
    )
    names = (CLINIC_NAME, REVIEWER_NAME)
    made = stage.commands(*(("client", "add", name, "--json") for name in names), is_output_shown=False)
    clients = Clients(*(_client(stage, answer) for answer in made))
    stage.screen.say("Both clients fetched a token at /oauth/token; their secrets are not shown here.")
    return clients


def _client(stage: Stage, made: str) -> FhirClient:
    credentials = json.loads(made)
    return FhirClient(stage.gateway.root_url, credentials["client_id"], credentials["client_secret"])


def _identified(identifier: Identifier) -> tuple[str, str]:
    return "--identifier", f"{identifier.system}|{identifier.value}"
