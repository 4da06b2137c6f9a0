"""Identifiers in addresses: other spellings of one are no address at all."""

from werkzeug.routing import BaseConverter

from rtpacs.rules.routes import ORTHANC_ID, UID


class UidConverter(BaseConverter):
    """A DICOM UID."""

    regex = UID


class OrthancIdConverter(BaseConverter):
    """What Orthanc calls a resource."""

    regex = ORTHANC_ID
