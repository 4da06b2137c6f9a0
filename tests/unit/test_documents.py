"""The documents name what there is: commands, job kinds, pages of decisions."""

from pathlib import Path

from rtpacs.cli import COMMANDS
from rtpacs.rules.jobs import JobKind
from rtpacs.settings import CHECKOUT
from tests.faults.matrix import MATRIX

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
OPERATIONS = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_every_command_is_documented():
    """README or the operating page names each, and each has help."""
    for name, (_, text) in COMMANDS.items():
        assert f"`{name}`" in OPERATIONS or f"`rtpacs {name}`" in OPERATIONS
        assert text


def test_every_job_kind_is_documented():
    """An administrator finds out what a job in the list does."""
    for kind in JobKind:
        assert f"| `{kind}` |" in OPERATIONS


def test_the_readme_starts_with_the_two_commands():
    """Nothing but the title stands before them."""
    head = README.split("```")[1]
    assert "make run" in head
    assert "make test" in head


def test_every_path_in_the_readme_tree_exists():
    """The map of the tree leads nowhere wrong."""
    tree = README.split("## The tree")[1].split("```")[1]
    inside = ""
    for line in tree.strip().splitlines():
        for name in line.split("  ")[0 if not line.startswith("  ") else 1].split():
            nested = line.startswith("  ")
            path = Path(CHECKOUT, inside if nested else "", name)
            assert path.exists(), path
            if not nested and name.endswith("/"):
                inside = name


def test_every_row_of_the_fault_matrix_has_a_test_and_a_line():
    """A1 to A20 and B1 to B17: named by a test, and in the table of the document."""
    rows = [f"A{number}" for number in range(1, 21)] + [f"B{number}" for number in range(1, 18)]
    assert list(MATRIX) == rows
    tests = "".join(
        path.read_text(encoding="utf-8") for path in Path(CHECKOUT, "tests").rglob("*.py")
    )
    assert [row for row in rows if f'fault("{row}")' not in tests] == []
    table = (CHECKOUT / "docs" / "faults.md").read_text(encoding="utf-8")
    assert [row for row in rows if f"\n| {row} |" not in table] == []
