"""A thousand random histories of two centers that send, change, delete and decide."""

from tests.contract.test_histories import run_histories

HISTORIES = 1000


def test_a_thousand_histories_keep_every_rule(tmp_path):
    """Conflicts and co-owners: see ``tests/contract/histories.py`` for the rules."""
    run_histories(tmp_path, HISTORIES)
