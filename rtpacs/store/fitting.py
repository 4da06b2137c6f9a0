"""Rows as both engines take them: PostgreSQL refuses what SQLite keeps."""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from rtpacs.store.text import fit, fit_integer


def fitted(table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows whose texts and numbers fit into the columns of the table.

    Too long texts are cut as ``text.fit`` says; numbers beyond 32 bit become None.
    """
    lengths = {
        column.name: column.type.length
        for column in table.columns
        if isinstance(column.type, sa.String)
    }
    narrow = {column.name for column in table.columns if type(column.type) is sa.Integer}
    return [_fitted(row, lengths, narrow) for row in rows]


def _fitted(
    row: Mapping[str, Any], lengths: Mapping[str, int | None], narrow: set[str]
) -> dict[str, Any]:
    result = dict(row)
    for name in lengths.keys() & row.keys():
        result[name] = fit(row[name], lengths[name])
    for name in narrow & row.keys():
        result[name] = fit_integer(row[name])
    return result
