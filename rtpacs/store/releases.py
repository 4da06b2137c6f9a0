"""What Orthanc may give to whom: the ``services.guard.Releases`` port."""

from collections import ChainMap
from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, Engine, and_, select

from rtpacs.rules.access import Reach
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.routes import Level
from rtpacs.services.guard import REFUSED, Release
from rtpacs.store.engine import chunks, reading
from rtpacs.store.schema import center, dicom_object
from rtpacs.store.sight import OBJECTS, Sight, seeing
from rtpacs.store.variants import is_seen

_OWN_BYTES = dicom_object.c.version_file.is_(None)
"""Where Orthanc holds the content that counts for a center, and not another one's variant."""


class SqlReleases:
    """``Releases`` in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def sees(self, level: Level, uid: str, reach: Reach) -> bool:
        """Whether anything of a study or series may be looked at."""
        with seeing(self._engine, reach.info) as sight:
            return is_seen(sight, level, uid)

    def beside(self, instance: OrthancId, reach: Reach) -> dict[OrthancId, Release]:
        """The instance and, where it passes, all others of its series."""
        series = select(dicom_object.c.series_id).where(dicom_object.c.orthanc_id == instance)
        with reading(self._engine) as connection:
            # Alone first: a refusal takes as long whether there is a series or not.
            found = _released(connection, dicom_object.c.orthanc_id == instance, reach)
            if instance not in found or not found[instance].info:
                return {}
            return found | _released(connection, dicom_object.c.series_id.in_(series), reach)

    def all_of(self, instances: Sequence[OrthancId], reach: Reach) -> Release:
        """What holds for every one of them."""
        found: dict[OrthancId, Release] = {}
        with reading(self._engine) as connection:
            for some in chunks(instances):
                found |= _released(connection, dicom_object.c.orthanc_id.in_(some), reach)
        releases = [found.get(one, REFUSED) for one in instances]
        return Release(
            info=_joined([one.info for one in releases]),
            send=_joined([one.send for one in releases]),
        )


def _joined(given: Sequence[Mapping[str, OrthancId]]) -> Mapping[str, OrthancId]:
    """Whose copies a whole consists of; nobody's where one part is refused."""
    return dict(ChainMap(*map(dict, given))) if all(given) else {}


def _released(
    connection: Connection, where: ColumnElement[bool], reach: Reach
) -> dict[OrthancId, Release]:
    info = Sight(connection=connection, scope=reach.info).objects
    send = Sight(connection=connection, scope=reach.send).objects
    rows = connection.execute(
        select(dicom_object.c.orthanc_id, center.c.code, info.label("info"), send.label("send"))
        .select_from(OBJECTS)
        .where(and_(where, _OWN_BYTES))
    )
    found: dict[OrthancId, Release] = {}
    # Several centers may own one object: what one of them gives, the others do not take.
    for row in rows:
        before = found.get(row.orthanc_id, REFUSED)
        own = {row.code: row.orthanc_id}
        found[row.orthanc_id] = Release(
            info={**before.info, **own} if row.info else before.info,
            send={**before.send, **own} if row.send else before.send,
        )
    return found
