"""The list of commands: quick, and in the words of the commands themselves."""

import subprocess
import sys

import click
import pytest

from rtpacs.cli import COMMANDS, rtpacs

HEAVY = {"numpy", "sqlalchemy", "pydicom", "pynetdicom", "flask"}


def test_help_imports_no_heavy_library():
    """All libraries together take more than a second; the list needs none of them."""
    program = (
        "import sys; from rtpacs.cli import rtpacs; rtpacs(['--help'], standalone_mode=False);"
        f"print('loaded', sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.endswith("loaded []\n")
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_listed_words_are_the_first_line_of_the_command(name):
    """A command says of itself what the list says of it."""
    command = rtpacs.get_command(click.Context(rtpacs), name)
    assert command.help.splitlines()[0] == COMMANDS[name][1]


def test_unknown_command_is_refused_by_name():
    """One line names what is wrong; exit code 2 as for any wrong use."""
    done = subprocess.run(
        [sys.executable, "-m", "rtpacs", "nonsense"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "No such command 'nonsense'" in done.stderr
