"""Recorded agreements: a center lets administrators tick in its column."""

from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa

from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.services.ports import Clock
from rtpacs.services.project_views import AgreementRow
from rtpacs.store.access_schema import agreement
from rtpacs.store.assignment import center_key_of
from rtpacs.store.engine import reading, writing
from rtpacs.store.schema import center


class SqlAgreements:
    """``services.projects.Agreements`` on SQL."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def all(self) -> list[AgreementRow]:
        """Agreements, those that last longest first; ended ones stay as a record."""
        query = (
            sa.select(agreement, center.c.code)
            .join(center, agreement.c.center_id == center.c.id)
            .order_by(agreement.c.expires_at.desc(), agreement.c.id)
        )
        with reading(self._engine) as connection:
            return [
                AgreementRow(
                    id=row.public_id,
                    center_code=row.code,
                    reference=row.reference,
                    expires_at=row.expires_at,
                    recorded_by=row.recorded_by,
                    recorded_at=row.recorded_at,
                )
                for row in connection.execute(query)
            ]

    def record(
        self, center_code: str, *, reference: str, expires_at: datetime, author: str
    ) -> None:
        """Record an agreement.

        Raises
        ------
        InvalidInputError
            It has no reference, or its end has passed.
        NotFoundError
            There is no such center.
        """
        if not reference.strip():
            raise InvalidInputError("an agreement has a reference: where it can be read")
        if expires_at <= self._clock():
            raise InvalidInputError("an agreement ends in the future")
        with writing(self._engine) as connection:
            connection.execute(
                sa.insert(agreement).values(
                    public_id=uuid4().hex,
                    center_id=center_key_of(connection, center_code),
                    reference=reference.strip(),
                    expires_at=expires_at,
                    recorded_by=author,
                    recorded_at=self._clock(),
                )
            )

    def end(self, agreement_id: str) -> None:
        """Let an agreement end now.

        Raises
        ------
        NotFoundError
            There is none of this id.
        """
        with writing(self._engine) as connection:
            now = self._clock()
            row = connection.execute(
                sa.select(agreement).where(agreement.c.public_id == agreement_id)
            ).first()
            if row is None:
                raise NotFoundError("there is no such agreement")
            connection.execute(
                sa.update(agreement)
                .where(agreement.c.id == row.id)
                .values(expires_at=min(row.expires_at, now))
            )
