"""Lists as CSV: the whole result of a search, a page at a time."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rtpacs.rules.spreadsheets import cell
from rtpacs.services.access_log import AccessLog, LogQuery, rows_of
from rtpacs.services.desk import Catalogue, Query
from webui.words import person

PAGE = 500
COLUMNS = (
    "number",
    "issuer",
    "name",
    "born",
    "sex",
    "center",
    "plan sets",
    "complete",
    "incomplete",
    "ambiguous",
    "modalities",
    "objects",
    "last received (UTC)",
)
LOG_COLUMNS = (
    "at (UTC)",
    "who",
    "address",
    "code",
    "event",
    "what",
    "outcome",
    "patient",
    "times",
    "seal",
)


def patients_csv(catalogue: Catalogue, query: Query) -> Iterator[str]:
    """Give the patients of a search in lines; nothing in them is a formula.

    Pages are read one after another: what arrives meanwhile may shift them.
    """
    yield _lines([COLUMNS])
    offset = 0
    while True:
        page = catalogue.patients(replace(query, offset=offset, limit=PAGE))
        if not page.items:
            return
        yield _lines(
            [
                (
                    row.patient_id,
                    row.issuer,
                    person(row.name),
                    row.birth_date or "",
                    row.sex or "",
                    row.center_code,
                    str(row.plan_sets),
                    *(str(_count(row.states, word)) for word in COLUMNS[7:10]),
                    " ".join(row.modalities),
                    str(row.objects),
                    f"{row.last_received:%Y-%m-%d %H:%M:%S}",
                )
                for row in page.items
            ]
        )
        offset += len(page.items)


def log_csv(log: AccessLog, query: LogQuery) -> Iterator[str]:
    """Give the rows of the access log in lines; nothing in them is a formula."""
    yield _lines([LOG_COLUMNS])
    for row in rows_of(log, query):
        yield _lines(
            [
                (
                    f"{row.at:%Y-%m-%d %H:%M:%S}",
                    row.who,
                    row.address,
                    row.code,
                    row.type,
                    row.what,
                    row.outcome,
                    row.patient,
                    str(row.count),
                    str(row.seal or ""),
                )
            ]
        )


def _count(states: Sequence[tuple[str, int]], word: str) -> int:
    return sum(count for state, count in states if state.startswith(word))


def _lines(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(
        [[cell(value) for value in row] for row in rows]
    )
    return text.getvalue()
