"""Own contents of objects, for one reach: the ``services.variants.VariantIndex`` port."""

from sqlalchemy import ColumnElement, Engine, func, select

from rtpacs.rules.access import Reach, Scope
from rtpacs.rules.objects import OrthancId
from rtpacs.rules.routes import Asked, Level
from rtpacs.services.contents import content_name
from rtpacs.services.variants import Variant
from rtpacs.store.schema import center, dicom_object, series, study
from rtpacs.store.sight import OBJECTS, SERIES, STUDIES, Sight, seeing


class SqlVariants:
    """``VariantIndex`` in the database."""

    def __init__(self, engine: Engine, reach: Reach) -> None:
        self._engine = engine
        self._reach = reach

    def named(self, wanted: Asked) -> Variant | None:
        """The own content of the one object that is meant."""
        key = dicom_object.c.sop_uid if wanted.is_uid else dicom_object.c.orthanc_id
        with seeing(self._engine, self._scope(wanted)) as sight:
            rows = sight.connection.execute(
                select(dicom_object.c.orthanc_id, dicom_object.c.version_file, center.c.code)
                .select_from(OBJECTS)
                .where(key == wanted.identifier, sight.objects)
                .distinct()
            ).all()
        # Of two contents that somebody may see neither is the one that is meant.
        contents = {(row.orthanc_id, row.version_file) for row in rows}
        if len(contents) != 1 or rows[0].version_file is None:
            return None
        return Variant(
            orthanc_id=OrthancId(rows[0].orthanc_id),
            content=content_name(rows[0].orthanc_id, rows[0].version_file),
            centers=frozenset(row.code for row in rows),
        )

    def are_in(self, wanted: Asked) -> bool:
        """Whether all of a study or series may be seen, and some of it is not what Orthanc has."""
        if not wanted.is_uid:
            return False
        within = _within(wanted)
        distinct = func.count(func.distinct(dicom_object.c.orthanc_id))
        with seeing(self._engine, self._scope(wanted)) as sight:
            # Nothing is counted in what is another's: that would take as long as it is large.
            if not is_seen(sight, wanted.level, wanted.identifier):
                return False

            def count(*conditions: ColumnElement[bool]) -> int:
                query = select(distinct).select_from(OBJECTS).where(within, *conditions)
                return int(sight.connection.execute(query).scalar_one())

            seen = count(sight.objects)
            orthancs = count(sight.objects, dicom_object.c.version_file.is_(None))
            return orthancs < seen == count()

    def _scope(self, wanted: Asked) -> Scope:
        return self._reach.send if wanted.sends else self._reach.info


def is_seen(sight: Sight, level: Level, uid: str) -> bool:
    """Whether something of a study or series may be seen."""
    if level is Level.STUDY:
        query = select(study.c.id).select_from(STUDIES).where(sight.studies)
        named = study.c.study_uid == uid
    else:
        query = select(series.c.id).select_from(SERIES).where(sight.series)
        named = series.c.series_uid == uid
    return sight.connection.execute(query.where(named).limit(1)).first() is not None


def _within(wanted: Asked) -> ColumnElement[bool]:
    column = study.c.study_uid if wanted.level is Level.STUDY else series.c.series_uid
    inside = select(series.c.id).select_from(SERIES).where(column == wanted.identifier)
    return dicom_object.c.series_id.in_(inside.correlate(None))
