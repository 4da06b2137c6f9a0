"""What Alembic runs: the steps inside the transaction that ``migrate`` opened."""

from alembic import context

from rtpacs.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite changes columns by copying the table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
