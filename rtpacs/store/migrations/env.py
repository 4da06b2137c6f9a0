"""What Alembic runs: the steps inside the transaction that ``migrate`` opened."""

from alembic import context

from rtpacs.store.access_schema import account

context.configure(
    connection=context.config.attributes["connection"],
    # The one of all tables: these are its last ones.
    target_metadata=account.metadata,
    # SQLite changes columns by copying the table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
