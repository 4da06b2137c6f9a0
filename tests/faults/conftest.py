"""Databases on both engines, as the contract suite has them."""

from tests.contract.conftest import (  # noqa: F401 - fixtures are found by their names here
    database,
    migrated,
    postgres,
    postgresql_url,
    sqlite_url,
)
