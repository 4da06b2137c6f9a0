"""What a part of the validation found: goals, tables and pictures, and the document with them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One line that holds or not."""

    subject: str
    goal: str
    measured: str
    met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One section of the document: Markdown, goals, and pictures by file name."""

    text: str
    goals: tuple[Goal, ...] = ()
    pictures: dict[str, Figure] = field(default_factory=dict)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others stand to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def goal_table(goals: Sequence[Goal]) -> str:
    """Goals as a Markdown table."""
    rows = [(g.subject, g.goal, g.measured, "yes" if g.met else "**NO**") for g in goals]
    return table(("subject", "goal", "measured", "met"), rows)


def put(document: str, name: str, text: str) -> str:
    """The document with another text between the markers of a part.

    Raises
    ------
    LookupError
        The document has no place for this part.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    place = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not place.search(document):
        raise LookupError(f"the document has no place for {name}")
    return place.sub(lambda _: f"{begin}\n{text.strip()}\n{end}", document)


def save(figure: Figure, path: Path) -> None:
    """Write a picture as SVG, byte for byte the same for the same content."""
    import matplotlib as mpl

    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "rtpacs", "svg.fonttype": "none", "font.size": 9}):
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
