"""Pages of a table's rows."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa


def newest(
    connection: sa.Connection,
    query: "sa.Select[Any]",
    table: sa.Table,
    *,
    where: sa.ColumnElement[bool],
    offset: int,
    limit: int,
) -> tuple[Sequence["sa.Row[Any]"], int]:
    """Rows of one page, the newest of a table first, and how many there are in all.

    ``where`` names columns of the table only.
    """
    count = sa.select(sa.func.count()).select_from(table).where(where)
    rows = query.where(where).order_by(table.c.id.desc()).offset(offset).limit(limit)
    return connection.execute(rows).all(), connection.execute(count).scalar_one()
