"""On SQLite no insert takes the place of an audit row or of a seal; who saw a list of cases is found by them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_IS_THERE = {
    "audit": "EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)",
    "audit_seal": "EXISTS (SELECT 1 FROM audit_seal WHERE position = NEW.position) "
    "OR EXISTS (SELECT 1 FROM audit_seal WHERE audit_id = NEW.audit_id)",
}
"""By every unique key of what revision 0011 guards."""
_SENTENCE = "the audit trail only grows"


def upgrade() -> None:
    """Safe while the previous version still runs: it inserts no row with a key that is there, and an index is an index.

    `INSERT OR REPLACE` deletes what is in its way without firing a trigger of DELETE, unless the connection asks for
    that (https://sqlite.org/lang_conflict.html). A row that gets its id from the database has -1 here, which none has
    (https://sqlite.org/lang_createtrigger.html, 2). PostgreSQL has no such insert, and what it does instead is an UPDATE.
    """
    of_lists = sa.text("action = 'page.view' AND coalesce(case_id, '') = ''")
    op.create_index(op.f("ix_audit_action"), "audit", ["action"], sqlite_where=of_lists, postgresql_where=of_lists)
    if op.get_bind().dialect.name != "sqlite":
        return
    for table, is_there in _IS_THERE.items():
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {is_there} "
            f"BEGIN SELECT RAISE(ABORT, '{_SENTENCE}'); END"
        )
