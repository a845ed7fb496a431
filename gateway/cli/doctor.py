"""`consilium doctor`: can the gateway run on this machine?"""

import click

from gateway.cli.checks import checked
from gateway.cli.endpoints import print_steps
from gateway.cli.office import Office, pass_office
from gateway.cli.output import json_option, print_json


@click.command()
@json_option
@pass_office
@click.pass_context
def doctor(ctx: click.Context, office: Office, is_json: bool) -> None:
    """Check this machine and the settings; each finding says its remedy. Exit status 1 when one check fails."""
    steps = list(checked(office.settings))
    is_well = all(step.is_ok for step in steps)
    print_json({"is_ok": is_well, "steps": steps}) if is_json else print_steps(steps)
    ctx.exit(0 if is_well else 1)
