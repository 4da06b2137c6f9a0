"""What a first start adds: accounts and, when asked, the demo data."""

import secrets
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from rtpacs import keyring
from rtpacs.archive.associations import Address
from rtpacs.archive.sending import send_files
from rtpacs.bootstrap import Application
from rtpacs.cli.demo_people import PEOPLE, add_centers, share
from rtpacs.demo import DemoSet, generate
from rtpacs.rules.access import AccountRole
from rtpacs.services.desk import NewAccount, NewNode

ADMINISTRATOR = "admin"
DEMO_SENT = "demo sent"
LOOPBACK = ("127.0.0.0/8", "::1")


def add_accounts(application: Application, *, demo: bool) -> list[str]:
    """Make the administrator, and the people of the demo; the lines to print about sign-ins.

    A generated password is printed once, kept in a file that only the owner may read, and has to
    be changed at first sign-in; those of the demo's people need not be changed.
    """
    given = application.settings.admin_password
    administrator = NewAccount(
        name=ADMINISTRATOR, roles=frozenset({AccountRole.ADMINISTRATOR}), must_change_password=True
    )
    lines = [_add(application, administrator, given)]
    if demo:
        add_centers(application)
        lines += [_add(application, person, "") for person in PEOPLE]
        share(application)
    return lines


def _add(application: Application, new: NewAccount, given: str) -> str:
    name, role = new.name, _role(new)
    kept = application.settings.home / "keys" / f"password-of-{name}"
    if application.desk.accounts.exists(name):
        where = f"password in {kept}" if _still_fits(application, name, kept) else "own password"
        return f"sign in as {name} ({role}), {where}"
    password = given or secrets.token_urlsafe(9)
    changes = new.must_change_password and not given
    application.desk.accounts.add(replace(new, must_change_password=changes), password)
    if given:
        return f"sign in as {name} ({role}), with the given password"
    keyring.write_private(kept, password + "\n")
    return f"sign in as {name} ({role}), password {password}  (kept in {kept})"


def _role(new: NewAccount) -> str:
    roles = ", ".join(sorted(new.roles))
    return f"{roles} of {new.center}" if new.center else roles


def _still_fits(application: Application, name: str, kept: Path) -> bool:
    """Whether the first password still opens the account; one that was changed is not kept."""
    if not kept.exists():
        return False
    if application.desk.accounts.opens(name, kept.read_text(encoding="utf-8").strip()):
        return True
    kept.unlink()
    return False


def send_demo(application: Application, *, again: bool = False) -> None:
    """Generate the demo data and send it over C-STORE as two hospitals would."""
    if not again and application.facts.noted_at(DEMO_SENT):
        return
    with tempfile.TemporaryDirectory(prefix="rtpacs-demo-") as folder:
        data = generate(Path(folder), progress=_line("Making demo data"))
        click.echo("", err=True)
        for demo_set in data.sets:
            _add_sender(application, demo_set)
            send_files(
                demo_set.files,
                Address(
                    host="127.0.0.1",
                    port=application.settings.dicom_port,
                    called_aet=application.settings.dicom_aet,
                    calling_aet=demo_set.calling_aet,
                ),
                progress=_line(f"Sending {demo_set.description} as {demo_set.calling_aet}"),
            )
            click.echo("", err=True)
    application.facts.note(DEMO_SENT, "yes")
    click.echo("The demo data is sent; DVHs appear within seconds.")


def _add_sender(application: Application, demo_set: DemoSet) -> None:
    add_centers(application)
    directory = application.desk.directory
    if demo_set.calling_aet in {node.aet for node in directory.nodes()}:
        return
    directory.add_node(
        NewNode(
            aet=demo_set.calling_aet,
            center_code=demo_set.center_code,
            networks=LOOPBACK,
            may_store=True,
        )
    )


class _line:  # noqa: N801 - used like a function
    """A progress line on a terminal; on anything else only its last state."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{self._text}: {done} of {total}", nl=False, err=True)
        elif done == total:
            click.echo(f"{self._text}: {done} of {total}", nl=False, err=True)
