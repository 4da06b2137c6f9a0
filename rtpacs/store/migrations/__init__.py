"""The steps that bring a database to the present schema."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from rtpacs.errors import StoreError
from rtpacs.store.engine import Serial, writing

HERE = Path(__file__).parent


def migrate(engine: sa.Engine) -> None:
    """Bring the database to the present schema in one transaction.

    Safe when several processes start at once: one of them works, the others wait and find
    nothing to do.

    Raises
    ------
    StoreError
        A newer version of rtpacs has changed this database.
    StoreUnavailableError
        The database cannot be reached.
    """
    with writing(engine, serial=Serial.MIGRATE) as connection:
        config = Config()
        config.set_main_option("script_location", str(HERE).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(
                f"this database was made by another version of rtpacs: {error}"
            ) from error
