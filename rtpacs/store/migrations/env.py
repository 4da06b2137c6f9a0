"""What Alembic runs: the steps inside the transaction that ``migrate`` opened."""

from alembic import context

from rtpacs.store import (  # noqa: F401 - they define tables
    access_schema,
    log_schema,
    removal_schema,
    transfer_schema,
)
from rtpacs.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    # The one of all tables: these modules hold its last ones.
    target_metadata=metadata,
    # SQLite changes columns by copying the table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
