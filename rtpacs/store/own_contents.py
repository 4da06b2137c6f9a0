"""What one center has of an object, whatever others have of it."""

import sqlalchemy as sa

from rtpacs.rules.objects import OrthancId
from rtpacs.services.contents import ContentName, content_name
from rtpacs.store.engine import reading
from rtpacs.store.schema import center, dicom_object, version


def own_contents(engine: sa.Engine, orthanc_id: OrthancId, code: str) -> list[ContentName]:
    """The contents of an object that a center has sent, empty where it has none.

    Raises
    ------
    StoreError, StoreUnavailableError
        The database did not answer.
    """
    query = (
        sa.select(dicom_object.c.version_file, version.c.file, version.c.in_archive)
        .join(center, center.c.id == dicom_object.c.center_id)
        .outerjoin(version, version.c.dicom_object_id == dicom_object.c.id)
        .where(dicom_object.c.orthanc_id == orthanc_id, center.c.code == code)
        .order_by(version.c.id)
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    counting = [content_name(orthanc_id, row.version_file) for row in rows]
    held = [
        content_name(orthanc_id, None if row.in_archive else row.file)
        for row in rows
        if row.file is not None
    ]
    return list(dict.fromkeys(counting + held))
