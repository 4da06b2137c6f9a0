"""Commands on nodes: DICOM application entities that we know."""

import json
import sys
from dataclasses import asdict, replace
from typing import Any

import click

from rtpacs import bootstrap
from rtpacs.cli.recorded import recorded
from rtpacs.errors import InvalidInputError
from rtpacs.rules.access_log import EventType
from rtpacs.services import nodes
from rtpacs.services.desk import Directory, NewNode
from rtpacs.services.views import NodeRow

USES = ("store", "query", "receive")
EXIT_UNREACHABLE = 1
NAME = click.argument("name", metavar="NODE")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
MAY_HELP = 'store,query,receive; "" for nothing.'


def _directory() -> Directory:
    return bootstrap.open_application().desk.directory


@click.group()
def node() -> None:
    """DICOM application entities that we know."""


@node.command("add")
@click.argument("aet")
@click.option("--host", required=True, help="Address of the node; it sends from here too.")
@click.option("--port", type=int, help="Port on which it receives.")
@click.option("--center", "center_code", required=True, help="Code of its center.")
@click.option("--may", default="store", show_default=True, help=MAY_HELP)
@click.option("--network", multiple=True, help="Further address or network it sends from.")
@click.option("--tls", is_flag=True, help="We call it by TLS, and never without.")
@recorded(EventType.SECURITY_ALERT, "aet", "center_code", "may")
def add_node(aet: str, *, center_code: str, may: str, host: str, **where: Any) -> None:
    """Add a node; data that it already sent moves to its center."""
    new = NewNode(
        aet=aet,
        center_code=center_code,
        host=host,
        port=where["port"],
        networks=(host, *where["network"]),
        tls=where["tls"],
    )
    _directory().add_node(_with_uses(new, may))
    click.echo(f"node {aet} of {center_code} added")


@node.command("list")
@AS_JSON
def list_nodes(as_json: bool) -> None:
    """List nodes."""
    rows = _directory().nodes()
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        uses = ", ".join(use for use in USES if getattr(row, f"may_{use}")) or "deactivated"
        click.echo(
            f"{row.id}  {row.aet:16} {row.center_code:16} {uses:21} {', '.join(row.networks)}"
        )


@node.command("change")
@NAME
@click.option("--aet", help="Its AE title.")
@click.option("--host", help="Its address; it sends from here, no longer from the one before.")
@click.option("--port", type=int, help="Port on which it receives.")
@click.option("--center", "center_code", help="Code of its center.")
@click.option("--may", help=MAY_HELP)
@click.option("--network", multiple=True, help="All that it sends from, instead of what is known.")
@click.option("--tls/--no-tls", default=None, help="Whether we call it by TLS.")
@recorded(EventType.SECURITY_ALERT, "name", "aet", "center_code", "may")
def change_node(name: str, may: str | None, network: tuple[str, ...], **given: Any) -> None:
    """Change of a node (AE title or id) what is given; the rest stays."""
    directory = _directory()
    row = nodes.node_named(directory, name)
    named = {field: value for field, value in given.items() if value is not None}
    new = replace(nodes.known_of(row), **named)
    new = replace(new, networks=network or _moved(row, new.host))
    directory.change_node(row.id, new if may is None else _with_uses(new, may))
    click.echo(f"node {new.aet} of {new.center_code} changed")


@node.command("deactivate")
@NAME
@recorded(EventType.SECURITY_ALERT, "name")
def deactivate_node(name: str) -> None:
    """Let a node (AE title or id) do nothing any more; all else that is known of it stays."""
    directory = _directory()
    row = nodes.deactivate(directory, nodes.node_named(directory, name).id)
    click.echo(f"node {row.aet} of {row.center_code} deactivated")


@node.command("remove")
@NAME
@recorded(EventType.SECURITY_ALERT, "name")
def remove_node(name: str) -> None:
    """Remove a node (AE title or id) that has left nothing behind."""
    directory = _directory()
    row = nodes.node_named(directory, name)
    directory.remove_node(row.id)
    click.echo(f"node {row.aet} of {row.center_code} removed")


@node.command("test")
@NAME
@click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait for a worker.")
@AS_JSON
def test_node(name: str, timeout: float, as_json: bool) -> None:
    """Let a worker call a node (AE title or id) by C-ECHO; exit code 1 when it did not answer."""
    desk = bootstrap.open_application().desk
    row = nodes.node_named(desk.directory, name)
    state = nodes.tested(desk.node_tests, row.id, timeout_seconds=timeout)
    text = "no worker tested it yet" if state.is_asked else state.text
    if as_json:
        click.echo(json.dumps(asdict(state), default=str))
    else:
        click.echo(f"node {row.aet}: {'reachable' if state.ok else 'not reachable'}: {text}")
    if state.is_asked or not state.ok:
        sys.exit(EXIT_UNREACHABLE)


def _with_uses(new: NewNode, may: str) -> NewNode:
    uses = {use.strip() for use in may.split(",") if use.strip()}
    if not uses <= set(USES):
        raise InvalidInputError(f"--may takes {', '.join(USES)}, separated by commas")
    return replace(
        new, may_store="store" in uses, may_query="query" in uses, may_receive="receive" in uses
    )


def _moved(row: NodeRow, host: str) -> tuple[str, ...]:
    """What it sends from, with its new address in place of the old one."""
    return tuple(host if network == row.host else network for network in row.networks)
