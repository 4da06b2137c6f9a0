"""The research extract: index and DVHs of plan sets as one SQLite file and as CSV files.

The folder appears whole or not at all: it is built beside its place and renamed.
"""

import csv
import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlite_utils

from rtpacs.errors import InvalidInputError, NotFoundError, StoreError
from rtpacs.rules.spreadsheets import cell
from rtpacs.services.desk import Catalogue, Doses, Query
from rtpacs.store.extract_columns import ExtractTable
from rtpacs.store.extract_rows import Row, patient_row, rows_of
from rtpacs.store.extract_tables import (
    CONVENTIONS,
    CSV_VIEW,
    DVH_CURVES,
    PATIENTS,
    SEARCHED,
    TABLES,
    VIEW_MEANINGS,
    VIEWS,
)

DATABASE_NAME = "rtpacs.sqlite"
PAGE = 200
CSV_STEP_GY = 0.1
_CURVE_COLUMNS = ("plan_set", "structure", "dose_gy", "volume_cm3")


def write_extract(
    catalogue: Catalogue,
    doses: Doses,
    *,
    folder: Path,
    plan_set_ids: Sequence[str] | None,
    about: Mapping[str, str],
    written_at: datetime,
) -> int:
    """Write plan sets, all visible ones when ``plan_set_ids`` is None, into a new folder.

    ``about`` adds facts (versions) to the table of that name. Returns the number of plan sets.

    Raises
    ------
    InvalidInputError
        The folder exists and holds something.
    NotFoundError
        One of ``plan_set_ids`` is not there or not visible; nothing is written.
    StoreError
        The files cannot be written, for instance because the disk is full.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidInputError(f"{folder} exists already; name a new folder")
    facts = {**about, "written_at": written_at.isoformat(), **CONVENTIONS}
    with _new_folder(folder) as building, _Writer(building) as writer:
        written = 0
        for detail_id in _ids(catalogue) if plan_set_ids is None else dict.fromkeys(plan_set_ids):
            try:
                detail = catalogue.plan_set(detail_id)
                pair_id = detail.row.pair_id
                curves = doses.curves(pair_id) if pair_id else []
            except NotFoundError:
                if plan_set_ids is None:
                    continue  # left the index since the list was read
                raise
            writer.add(PATIENTS, [patient_row(detail.row.patient)])
            for table, rows in rows_of(detail, curves).items():
                writer.add(_BY_NAME[table], rows)
            written += 1
        writer.finish({**facts, "plan_sets": str(written)})
    return written


_BY_NAME = {table.name: table for table in TABLES}


def _ids(catalogue: Catalogue) -> list[str]:
    ids: list[str] = []
    while True:
        page = catalogue.plan_sets(Query(sort="name", offset=len(ids), limit=PAGE))
        ids += [row.id for row in page.items]
        if not page.items:
            return list(dict.fromkeys(ids))


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    building = folder.absolute().parent / f".{folder.name}.{uuid4().hex}.part"
    try:
        building.mkdir(mode=0o700, parents=True)
        yield building
        building.rename(folder)
    except (OSError, sqlite3.Error) as exc:
        raise StoreError(f"the extract cannot be written: {exc}") from exc
    finally:
        shutil.rmtree(building, ignore_errors=True)


class _Writer:
    """Writes rows to the SQLite file and to CSV at the same time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        connection = sqlite3.connect(folder / DATABASE_NAME)
        self._stack.callback(connection.close)
        # The folder does not count until it is renamed: no journal for what may be thrown away.
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("PRAGMA synchronous=OFF")
        self._database = sqlite_utils.Database(connection)
        self._seen: set[str] = set()
        self._csv: dict[str, Any] = {}
        for table in TABLES:
            self._create(table)
            self._open_csv(folder, table)

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    def _create(self, table: ExtractTable) -> None:
        self._database.table(table.name).create(
            {column.name: column.kind for column in table.columns},
            pk=table.key,
            foreign_keys=[
                (item.name, item.to, _key_of(item.to)) for item in table.columns if item.to
            ],
        )

    def _open_csv(self, folder: Path, table: ExtractTable) -> None:
        path = folder / f"{table.name}.csv"
        file = self._stack.enter_context(path.open("w", encoding="utf-8", newline=""))
        self._csv[table.name] = csv.writer(file)
        self._csv[table.name].writerow(
            _CURVE_COLUMNS if table is DVH_CURVES else table.column_names
        )

    def add(self, table: ExtractTable, rows: Iterable[Row]) -> None:
        """Write rows; a patient of several plan sets is written once."""
        new = [row for row in rows if table is not PATIENTS or row["id"] not in self._seen]
        self._seen.update(row["id"] for row in new if table is PATIENTS)
        names = table.column_names
        self._database.table(table.name).insert_all(
            {name: row.get(name) for name in names} for row in new
        )
        for row in new:
            if table is DVH_CURVES:
                self._csv[table.name].writerows(_points(row))
            else:
                self._csv[table.name].writerow(_cell(row.get(name)) for name in names)

    def finish(self, facts: Mapping[str, str]) -> None:
        """Describe file and folder in themselves; add views, search and indexes."""
        meanings = {**{table.name: table.meaning for table in TABLES}, **VIEW_MEANINGS}
        self._describe("about", facts)
        self._describe("tables", meanings)
        columns = [
            {
                "table": table.name,
                "column": column.name,
                "unit": column.unit,
                "meaning": column.meaning,
            }
            for table in TABLES
            for column in table.columns
        ]
        self._database.table("columns").insert_all(columns, pk=("table", "column"))
        for name, query in VIEWS.items():
            self._database.create_view(name, query)
        for name in ("about", "tables", "columns", CSV_VIEW):
            self._copy(name)
        for name, searched in SEARCHED.items():
            self._database.table(name).enable_fts(
                searched, tokenize="unicode61 remove_diacritics 2"
            )
        self._database.index_foreign_keys()
        self._database.conn.commit()

    def _describe(self, name: str, texts: Mapping[str, str]) -> None:
        column = "value" if name == "about" else "meaning"
        self._database.table(name).insert_all(
            [{"name": key, column: text} for key, text in texts.items()], pk="name"
        )

    def _copy(self, name: str) -> None:
        """Write a table or view of the file as CSV."""
        found = self._database.conn.execute(f"SELECT * FROM {name}")  # noqa: S608 - our own names
        with (self._folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            written = csv.writer(file)
            written.writerow(column[0] for column in found.description)
            written.writerows(map(_cell, row) for row in found)


def _key_of(table: str) -> str:
    key = _BY_NAME[table].key
    return key if isinstance(key, str) else key[0]


def _cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    return cell(value) if isinstance(value, str) else value


def _points(row: Row) -> Iterator[tuple[object, ...]]:
    """Every tenth of a gray: all of 0.01 Gy stands in the SQLite file."""
    step = row["bin_gy"] or CSV_STEP_GY
    every = max(1, round(CSV_STEP_GY / step))
    volumes = json.loads(row["volumes"])
    for index in range(0, len(volumes), every):
        yield row["plan_set"], row["structure"], round(index * step, 4), volumes[index]
