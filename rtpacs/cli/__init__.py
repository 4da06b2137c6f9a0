"""The command ``rtpacs``: one module per group of commands."""

import sys

import click

from rtpacs import __version__
from rtpacs.cli.administer import center, node, user
from rtpacs.cli.data import export
from rtpacs.cli.dvh import dvh
from rtpacs.cli.run import demo, reconcile, serve, settings, status, web, worker
from rtpacs.errors import RtpacsError

EXIT_REFUSED = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def rtpacs() -> None:
    """The open radiotherapy PACS."""


for command in (
    serve,
    worker,
    web,
    demo,
    status,
    reconcile,
    settings,
    export,
    dvh,
    center,
    node,
    user,
):
    rtpacs.add_command(command)


def main() -> None:
    """Run the command line; what is refused ends with exit code 2 and one line."""
    try:
        rtpacs(standalone_mode=False)
    except RtpacsError as exc:
        click.echo(f"rtpacs: {exc}", err=True)
        sys.exit(EXIT_REFUSED)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
