"""Parsed objects as rows, and rows as the objects that the rules judge.

Images carry no texts of their own: there are hundreds with the same ones, so they are read from
the rows of patient, study and series. All other objects keep theirs as sent (``header``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import numpy as np
import sqlalchemy as sa

from rtpacs.rules.objects import (
    Finding,
    ObjectId,
    OrthancId,
    ParsedObject,
    PatientText,
    Reference,
    ReferenceKind,
    Role,
    SeriesText,
    Severity,
    SopUid,
    StudyText,
    TpsDvh,
)
from rtpacs.rules.plan_sets import IndexedObject
from rtpacs.store.codec import decode, decode_content, encode, encode_content, finding_count

Row = sa.Row[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Texts of one object as sent."""

    patient: PatientText
    study: StudyText
    series: SeriesText


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an object belongs in the index."""

    orthanc_id: OrthancId
    center_id: int
    sender_id: int
    patient_id: int | None
    series_id: int | None
    size_bytes: int
    received_at: datetime
    reader_version: int


def object_row(
    parsed: ParsedObject | None, findings: Sequence[Finding], place: Place
) -> dict[str, Any]:
    """Return the row of ``dicom_object``; an object that cannot be read has role *other*."""
    row = {
        "public_id": uuid4().hex,
        "orthanc_id": place.orthanc_id,
        "center_id": place.center_id,
        "conflict": [],
        "sender_id": place.sender_id,
        "patient_id": place.patient_id,
        "series_id": place.series_id,
        "size_bytes": place.size_bytes,
        "received_at": place.received_at,
        "findings": encode(tuple(findings)),
        "error_count": sum(finding.severity is Severity.ERROR for finding in findings),
        "finding_count": finding_count(findings),
        "reader_version": place.reader_version,
    }
    return row | (_unread() if parsed is None else _read(parsed))


def _unread() -> dict[str, Any]:
    return {
        "sop_uid": None,
        "sop_class_uid": None,
        "transfer_syntax_uid": None,
        "role": Role.OTHER.value,
        "instance_number": None,
        "content_date": None,
        "frame_of_reference_uid": None,
        "header": None,
        "content": None,
    }


def _read(parsed: ParsedObject) -> dict[str, Any]:
    header = Header(patient=parsed.patient, study=parsed.study, series=parsed.series)
    return {
        "sop_uid": parsed.sop_uid,
        "sop_class_uid": parsed.sop_class_uid,
        "transfer_syntax_uid": parsed.transfer_syntax_uid,
        "role": parsed.role.value,
        "instance_number": parsed.instance_number,
        "content_date": parsed.content_date,
        "frame_of_reference_uid": parsed.series.frame_of_reference_uid,
        "header": None if parsed.role is Role.IMAGE else encode(header),
        "content": encode_content(parsed.content),
    }


def reference_rows(parsed: ParsedObject, object_id: int) -> list[dict[str, Any]]:
    """Return the rows of ``reference``, in the order of the object."""
    return [
        {
            "dicom_object_id": object_id,
            "kind": reference.kind.value,
            "target_uid": reference.target_uid,
            "target_class_uid": reference.target_class_uid,
        }
        for reference in parsed.references
    ]


def tps_dvh_rows(parsed: ParsedObject, object_id: int) -> list[dict[str, Any]]:
    """Return the rows of ``tps_dvh``, in the order of the object."""
    return [_tps_dvh_row(dvh, object_id, at) for at, dvh in enumerate(parsed.tps_dvhs)]


def _tps_dvh_row(dvh: TpsDvh, object_id: int, position: int) -> dict[str, Any]:
    return {
        "dicom_object_id": object_id,
        "position": position,
        "roi_numbers": list(dvh.roi_numbers),
        "source_type": dvh.source_type,
        "dose_units": dvh.dose_units,
        "volume_units": dvh.volume_units,
        "minimum": dvh.minimum,
        "maximum": dvh.maximum,
        "mean": dvh.mean,
        "findings": encode(dvh.findings),
        "curve": np.array([dvh.dose, dvh.volume], dtype=np.float64).tobytes(),
    }


def indexed_object(row: Row, references: Sequence[Reference]) -> IndexedObject:
    """Return the object of a row of ``dicom_object`` joined with its series, study and patient.

    The DVHs that the TPS exported are left out: no rule looks at them.
    """
    header = _header(row) if row.header is None else decode(Header, row.header)
    parsed = ParsedObject(
        sop_uid=SopUid(row.sop_uid),
        sop_class_uid=row.sop_class_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        role=Role(row.role),
        patient=header.patient,
        study=header.study,
        series=header.series,
        instance_number=row.instance_number,
        content_date=row.content_date,
        references=tuple(references),
        findings=decode(tuple[Finding, ...], [*row.findings, *row.conflict]),
        content=decode_content(row.content),
    )
    return IndexedObject(
        object_id=ObjectId(row.id),
        orthanc_id=OrthancId(row.orthanc_id),
        patient_key=row.patient_id,
        received_at=row.received_at,
        parsed=parsed,
    )


def _header(row: Row) -> Header:
    return Header(
        patient=PatientText(
            patient_id=row.patient_number,
            issuer=row.issuer,
            name=row.name,
            birth_date=row.birth_date,
            sex=row.sex,
        ),
        study=StudyText(
            study_uid=row.study_uid,
            date=row.study_date,
            description=row.study_description,
            accession_number=row.accession_number,
            study_id=row.dicom_study_id,
        ),
        series=SeriesText(
            series_uid=row.series_uid,
            modality=row.modality,
            number=row.series_number,
            description=row.series_description,
            date=row.series_date,
            frame_of_reference_uid=row.frame_of_reference_uid,
            manufacturer=row.manufacturer,
            model=row.model,
            software_versions=row.software_versions,
            institution=row.institution,
            body_part=row.body_part,
        ),
    )


def references_of(rows: Sequence[Row]) -> Mapping[int, list[Reference]]:
    """Return the references of each object from rows of ``reference`` sorted by id."""
    found: dict[int, list[Reference]] = {}
    for row in rows:
        found.setdefault(row.dicom_object_id, []).append(
            Reference(
                kind=ReferenceKind(row.kind),
                target_uid=row.target_uid,
                target_class_uid=row.target_class_uid,
            )
        )
    return found
