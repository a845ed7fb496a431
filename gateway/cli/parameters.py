"""Values that a command line writes in one word: `SYSTEM|VALUE` and `AE@host:port`."""

from collections.abc import Callable
from typing import Any

import click

from gateway.domain.addresses import check_ae_title, check_host, check_port
from gateway.domain.errors import Invalid
from gateway.domain.party import DicomAddress, Identifier
from gateway.domain.reasons import check_reason


class IdentifierType(click.ParamType[Identifier]):
    """`SYSTEM|VALUE`, as FHIR writes a token (https://hl7.org/fhir/R4/search.html#token)."""

    name = "SYSTEM|VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Identifier:
        """Fails without a system or a value."""
        if isinstance(value, Identifier):
            return value
        system, _, text = str(value).partition("|")
        if not system or not text:
            self.fail("expected SYSTEM|VALUE, such as urn:oid:2.16.840.1.113883|4711", param, ctx)
        return Identifier(system, text)


class DicomAddressType(click.ParamType[DicomAddress]):
    """`AE@host:port`; an IPv6 address stands in brackets."""

    name = "AE@HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> DicomAddress:
        """Fails when a part is missing or breaks its rule."""
        if isinstance(value, DicomAddress):
            return value
        title, _, address = str(value).rpartition("@")
        host, _, port = address.rpartition(":")
        if not port.isdecimal():
            self.fail("expected AE@host:port, such as PACS@10.0.0.5:104", param, ctx)
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        try:
            return DicomAddress(check_ae_title(title), check_host(bare), check_port(int(port)))
        except Invalid as exc:
            return self.fail(f"{exc.at}: {exc}", param, ctx)


class ReasonType(click.ParamType[str]):
    """Words of a person that the audit trail keeps."""

    name = "WHY"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Fails for what is no short line."""
        try:
            return check_reason(str(value))
        except Invalid as exc:
            return self.fail(str(exc), param, ctx)


IDENTIFIER = IdentifierType()
DICOM_ADDRESS = DicomAddressType()
REASON = ReasonType()
reason_option: Callable[..., Any] = click.option(
    "--reason",
    required=True,
    type=REASON,
    help="Why, in at most 200 characters. Kept for good in the audit trail, exported as typed: name nobody.",
)
