"""Commands that take data out."""

from pathlib import Path

import click

from rtpacs import bootstrap


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--plan-set", "plan_sets", multiple=True, help="Id of a plan set; default: all.")
def export(folder: Path, plan_sets: tuple[str, ...]) -> None:
    """Write index and DVHs as one SQLite file and as CSV.

    The SQLite file describes itself: every table and column with its unit and meaning.
    """
    application = bootstrap.open_application()
    written = application.write_extract(folder, plan_sets or None)
    click.echo(f"{written} plan set{'' if written == 1 else 's'} written to {folder}")
