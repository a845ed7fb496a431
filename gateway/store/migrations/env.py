"""Alembic's entry point: runs the revisions on the connection that `gateway.store.schema` hands over."""

from alembic import context

from gateway.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    user_module_prefix="tables.",
)
context.run_migrations()
