"""A gateway that knows one clinic, whose PACS may call."""

from config.settings import Settings
from gateway.domain.party import DicomAddress, EndpointRole, Identifier, PartyKind
from gateway.services.core import Core
from gateway.services.registry import NewEndpoint, register_party
from gateway.store.schema import upgrade
from gateway.wiring import open_core, open_database
from tests.integration.certificates import NOW
from tests.peers.processes import LOOPBACK


def core_with_clinic(settings: Settings, ae_title: str) -> Core:
    """By these settings, on an empty database; `ae_title` is the PACS's."""
    upgrade(open_database(settings))
    core = open_core(settings)
    pacs = NewEndpoint("pacs", EndpointRole.PACS, dicom=DicomAddress(ae_title, LOOPBACK, 104))
    register_party(
        core.database,
        kind=PartyKind.CLINIC,
        name="ankara",
        identifiers=[Identifier("urn:oid:1.2", "1")],
        country="TR",
        time_zone="Europe/Istanbul",
        endpoints=[pacs],
        actor="cli:test",
        now=NOW,
    )
    return core
