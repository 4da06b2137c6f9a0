"""Contents of the images of a series: asked about, and chosen, all at once."""

from collections import defaultdict

import sqlalchemy as sa

from rtpacs.errors import StateError
from rtpacs.rules.conflicts import CONFLICT, HeldVersion
from rtpacs.rules.decisions import DecisionKind, Statement, in_force, topic_of
from rtpacs.rules.series_versions import Choice, Undecided, label, note
from rtpacs.services.ports import Clock
from rtpacs.services.views import AnswerRow
from rtpacs.store.conflicts import having, holdings_of
from rtpacs.store.decisions import on_topics, record_together
from rtpacs.store.engine import Serial, chunks, reading, writing
from rtpacs.store.jobs import SqlJobs
from rtpacs.store.schema import center, dicom_object, series
from rtpacs.store.sight import KNOWN, SERIES

KIND = DecisionKind.VERSION


class SqlSeriesVersions:
    """``services.ports.SeriesBook`` on SQL."""

    def __init__(self, engine: sa.Engine, clock: Clock, jobs: SqlJobs) -> None:
        self._engine = engine
        self._clock = clock
        self._jobs = jobs

    def center_of(self, series_id: str) -> str | None:
        """Code of the center of a series; None for one that is not here, or in quarantine."""
        with reading(self._engine) as connection:
            code: str | None = connection.execute(
                sa.select(center.c.code)
                .select_from(SERIES)
                .where(series.c.public_id == series_id, KNOWN)
            ).scalar()
        return code

    def choose(
        self, series_id: str, choice: Choice, *, author: str, reason: str, seen: str | None
    ) -> str:
        """Decide for every image with several contents in one transaction; the act's id.

        Raises
        ------
        StateError
            Another content came, or somebody decided, since ``seen``; or nothing is open.
        """
        with writing(self._engine, serial=Serial.INDEX) as connection:
            row = connection.execute(
                sa.select(series.c.id, center.c.code)
                .select_from(SERIES)
                .where(series.c.public_id == series_id, KNOWN)
            ).first()
            found = undecided(connection, row.id, row.code) if row else None
            if row is None or found is None or found.state != seen:
                raise StateError(
                    "What is open in this series changed meanwhile: look again before you decide."
                )
            made = [
                Statement(kind=KIND, center=row.code, subject=uid, target=item.digest)
                for uid, item in found.chosen(choice).items()
            ]
            act = record_together(
                connection, (self._jobs, self._clock), made, author=author, reason=reason
            )
        return act[0].decision_id


def undecided(connection: sa.Connection, series_key: int, code: str) -> Undecided | None:
    """What is open in a series of a center; None for nothing."""
    own = sa.select(dicom_object.c.id, dicom_object.c.sop_uid).where(
        dicom_object.c.series_id == series_key, dicom_object.c.removal_id.is_(None)
    )
    uids = {row.id: row.sop_uid for row in connection.execute(own)}
    open_uids = sorted(uids[key] for key in having(connection, list(uids), CONFLICT))
    held: dict[str, list[HeldVersion]] = defaultdict(list)
    for part in chunks(open_uids):
        for item in holdings_of(connection, dicom_object.c.sop_uid.in_(part)).values():
            if item.center == code:
                held[item.sop_uid] += item.versions
    contents = {uid: tuple(versions) for uid, versions in sorted(held.items()) if versions}
    if not contents:
        return None
    return Undecided(contents=contents, decided=_decided(connection, code, list(contents)))


def _decided(connection: sa.Connection, code: str, uids: list[str]) -> dict[str, str]:
    rivals = on_topics(connection, [topic_of(KIND, code, uid) for uid in uids])
    return {item.statement.subject: item.decision_id for item in in_force(rivals)}


def series_answers(connection: sa.Connection, series_key: int, code: str) -> tuple[AnswerRow, ...]:
    """The choices for a series; none while the contents are not named yet."""
    found = undecided(connection, series_key, code)
    if found is None:
        return ()
    row = connection.execute(
        sa.select(series.c.public_id, series.c.series_uid).where(series.c.id == series_key)
    ).one()
    return tuple(
        AnswerRow(
            kind=KIND,
            subject=row.series_uid,
            target=choice.value,
            relation=None,
            registration=None,
            label=label(choice, chosen.values()),
            note=note(chosen.values()),
            seen=found.state,
            series_id=row.public_id,
        )
        for choice in Choice
        for chosen in [found.chosen(choice)]
    )
