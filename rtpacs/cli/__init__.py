"""The command ``rtpacs``: one module per group of commands."""

import importlib
import keyword
import sys
from collections.abc import Sequence

import click

from rtpacs import __version__
from rtpacs.errors import RtpacsError

EXIT_REFUSED = 2
# Module and first line of help of each command. A module is imported when its command is called,
# since all of them together take longer than a person waits for a list.
COMMANDS = {
    "serve": ("run", "Run Orthanc, worker, web and door until Ctrl-C."),
    "worker": ("run", "Run one worker: it indexes arrivals and runs jobs."),
    "web": ("run", "Run the web process behind the door."),
    "demo": ("run", "Send the demo data to the running system (again is harmless)."),
    "status": ("run", "Print counts, and what failed or is retried."),
    "recalculate": ("recalculate", "Calculate DVHs again: one plan set, or the whole archive."),
    "reconcile": ("run", "Compare index and archive in full and repair what differs."),
    "backup": ("backup", "Back up the running system into FOLDER: each time only what is new."),
    "restore": ("backup", "Bring a backup in FOLDER back into an empty data folder (RTPACS_HOME)."),
    "settings": ("run", "Print every setting with its value, source and meaning."),
    "import": ("importing", "Import DICOM files of old exports: folders, DICOMDIRs, ZIPs."),
    "export": ("data", "Write index and DVHs as one SQLite file and as CSV."),
    "decisions": ("decisions", "What people settled: take it out and in."),
    "dvh": ("dvh", "Calculate the DVH of every structure of one RT Structure Set."),
    "removal": ("removing", "Withdraw what a center sent, or erase a patient."),
    "log": ("log", "The access log: who looked at what, and whether anybody changed it."),
    "center": ("centers", "Institutions that submit and use data."),
    "node": ("nodes", "DICOM application entities that we know."),
    "user": ("accounts", "Accounts of people."),
    "token": ("accounts", "Personal access tokens for scripts."),
    "project": ("projects", "Projects: who takes part, whose data is in them, and who may what."),
}


class _Lazy(click.Group):
    """Commands of ``COMMANDS``, in its order."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"rtpacs.cli.{COMMANDS[cmd_name][0]}")
        # ``import`` is a word of Python: its function has another name.
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def rtpacs() -> None:
    """The open radiotherapy PACS."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line (``sys.argv``); what is refused ends with exit code 2 and one line."""
    try:
        rtpacs(arguments, standalone_mode=False, prog_name="rtpacs")
    except RtpacsError as exc:
        click.echo(f"rtpacs: {exc}", err=True)
        sys.exit(EXIT_REFUSED)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
