"""``make validate-dvh``: measure, judge, and write tables and pictures into docs/dvh.md."""

import sys
from collections.abc import Callable
from pathlib import Path

import click

from rtpacs.dosimetry import ALGORITHM_VERSION
from validation.parts import (
    hard_cases_part,
    nelms_part,
    radiosurgery_part,
    slabs_part,
    spheres_part,
)
from validation.pictures import method_pictures
from validation.published import the_folder
from validation.published_part import published_part
from validation.report import Goal, Part, goal_table, put, save

DOCUMENT = Path(__file__).parents[1] / "docs" / "dvh.md"
PARTS: dict[str, Callable[[], Part]] = {
    "nelms": nelms_part,
    "slabs": slabs_part,
    "radiosurgery": radiosurgery_part,
    "spheres": spheres_part,
    "hard cases": hard_cases_part,
}


@click.command()
@click.option(
    "--document",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=DOCUMENT,
    help="Where tables go, between the markers of each part; pictures go beside it.",
)
def main(document: Path) -> None:
    """Validate the DVH engine; exit code 1 when a goal is missed.

    Published cases are compared where RTPACS_TEST_DATA names their folder.
    """
    text = document.read_text(encoding="utf-8")
    folder = document.parent / "dvh"
    for name, picture in method_pictures().items():
        save(picture, folder / name)
    goals: list[Goal] = []
    for name, measure in PARTS.items():
        text = _taken(text, name, measure(), folder, goals)
    root = the_folder()
    if root is None:
        click.echo("RTPACS_TEST_DATA names no folder: published cases are NOT validated")
    else:
        text = _taken(text, "published", published_part(root), folder, goals)
        text = put(text, "goals", goal_table(goals))
    text = put(text, "version", f"Algorithm `{ALGORITHM_VERSION}`.")
    document.write_text(text, encoding="utf-8")
    click.echo(goal_table(goals))
    missed = [goal for goal in goals if not goal.met]
    click.echo(f"{len(goals) - len(missed)} of {len(goals)} goals are met")
    sys.exit(1 if missed else 0)


def _taken(text: str, name: str, part: Part, folder: Path, goals: list[Goal]) -> str:
    click.echo(f"{name}: {sum(goal.met for goal in part.goals)} of {len(part.goals)} goals")
    goals += part.goals
    for file, picture in part.pictures.items():
        save(picture, folder / file)
    return put(text, name, part.text)


if __name__ == "__main__":
    main()
