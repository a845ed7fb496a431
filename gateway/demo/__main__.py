"""`python -m gateway.demo`, which `consilium demo` becomes."""

import sys
from pathlib import Path

import click

from gateway.demo.program import DEFAULT_FOLDER, run_demo


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--once", is_flag=True, help="End when the report has arrived, instead of staying up until Ctrl-C.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Where the run's folder is made.",
)
@click.pass_context
def main(ctx: click.Context, once: bool, data_dir: Path) -> None:
    """Play the hospital, the reviewer and the clinic's EHR against a gateway of its own."""
    ctx.exit(run_demo(once=once, data_dir=data_dir))


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal that has no letter for ş
    main(prog_name="consilium demo")
