"""New objects into the index: under which patient, study and series, and who sent them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rtpacs.rules.objects import OrthancId, ParsedObject
from rtpacs.rules.patients import patient_key
from rtpacs.services.ports import Receipt
from rtpacs.store import hierarchy
from rtpacs.store.engine import insert
from rtpacs.store.fitting import fitted
from rtpacs.store.object_rows import Place, object_row, reference_rows, tps_dvh_rows
from rtpacs.store.schema import arrival, dicom_object, reference, tps_dvh
from rtpacs.store.senders import Caller, Sender, caller


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filed:
    """A new object with the rows above it."""

    receipt: Receipt
    sender: Sender
    patient_id: int | None = None
    series_id: int | None = None


def id_of(receipt: Receipt) -> OrthancId:
    """Return the object that a receipt is about."""
    return receipt.item.arrival.orthanc_id


def caller_of(receipt: Receipt) -> Caller:
    """Return who sent it."""
    return caller(receipt.item.arrival.aet, receipt.item.arrival.address)


def center_noted(receipt: Receipt) -> str:
    """Return the code of the center that the archive notes; empty without."""
    return receipt.item.arrival.center_code


def add_objects(
    connection: sa.Connection, receipts: Sequence[Receipt], known: Mapping[Caller, Sender]
) -> dict[str, int]:
    """Insert objects with their references and exported DVHs; returns Orthanc id to our id."""
    if not receipts:
        return {}
    filed = _file(connection, receipts, known)
    rows = connection.execute(
        sa.insert(dicom_object).returning(dicom_object.c.orthanc_id, dicom_object.c.id),
        fitted(dicom_object, [_row(item) for item in filed]),
    )
    made = {row.orthanc_id: row.id for row in rows}
    read = [(receipt.parsed, made[id_of(receipt)]) for receipt in receipts if receipt.parsed]
    _add_contents(connection, read)
    return made


def refile(
    connection: sa.Connection, object_id: int, receipt: Receipt, known: Mapping[Caller, Sender]
) -> None:
    """Let an object's row say what another content says; its ids, sender and arrival stay."""
    (filed,) = _file(connection, [receipt], known)
    stay = ("public_id", "orthanc_id", "center_id", "sender_id", "received_at", "conflict")
    row = {name: value for name, value in _row(filed).items() if name not in stay}
    (values,) = fitted(dicom_object, [row])
    connection.execute(sa.update(dicom_object).where(dicom_object.c.id == object_id).values(values))
    for table in (reference, tps_dvh):
        connection.execute(sa.delete(table).where(table.c.dicom_object_id == object_id))
    if receipt.parsed:
        _add_contents(connection, [(receipt.parsed, object_id)])


def _add_contents(connection: sa.Connection, read: Sequence[tuple[ParsedObject, int]]) -> None:
    references = [row for parsed, key in read for row in reference_rows(parsed, key)]
    dvhs = [row for parsed, key in read for row in tps_dvh_rows(parsed, key)]
    for table, lines in ((reference, references), (tps_dvh, dvhs)):
        if lines:
            connection.execute(sa.insert(table), fitted(table, lines))


def _file(
    connection: sa.Connection, receipts: Sequence[Receipt], known: Mapping[Caller, Sender]
) -> list[_Filed]:
    """Find or make patient, study and series of each; what cannot be read has none."""
    plain = [_Filed(receipt=r, sender=known[caller_of(r)]) for r in receipts if r.parsed is None]
    read = [(r, r.parsed, known[caller_of(r)]) for r in receipts if r.parsed is not None]
    if not read:
        return plain
    patient_ids = hierarchy.patients(
        connection, [_patient(receipt, parsed, sent) for receipt, parsed, sent in read]
    )
    study_ids = hierarchy.studies(
        connection,
        [hierarchy.study_row(p, key) for (_, p, _), key in zip(read, patient_ids, strict=True)],
    )
    series_ids = hierarchy.all_series(
        connection,
        [hierarchy.series_row(p, key) for (_, p, _), key in zip(read, study_ids, strict=True)],
    )
    return plain + [
        _Filed(receipt=receipt, sender=sent, patient_id=patient_id, series_id=series_id)
        for (receipt, _, sent), patient_id, series_id in zip(
            read, patient_ids, series_ids, strict=True
        )
    ]


def _patient(receipt: Receipt, parsed: ParsedObject, sent: Sender) -> hierarchy.Values:
    identity = patient_key(
        parsed.patient,
        center=sent.center_code,
        sender=sent.public_id,
        study_uid=parsed.study.study_uid,
    )
    return hierarchy.patient_row(
        parsed,
        identity,
        center_id=sent.center_id,
        received_at=receipt.item.arrival.received_at,
    )


def _row(filed: _Filed) -> hierarchy.Values:
    receipt = filed.receipt
    findings = receipt.parsed.findings if receipt.parsed else ()
    if receipt.error is not None:
        findings = (*findings, receipt.error)
    place = Place(
        orthanc_id=id_of(receipt),
        center_id=filed.sender.center_id,
        sender_id=filed.sender.sender_id,
        patient_id=filed.patient_id,
        series_id=filed.series_id,
        size_bytes=receipt.size_bytes,
        received_at=receipt.item.arrival.received_at,
        reader_version=receipt.reader_version,
    )
    return object_row(receipt.parsed, findings, place)


def note_arrivals(
    connection: sa.Connection,
    receipts: Sequence[Receipt],
    known: Mapping[Caller, Sender],
    object_ids: Mapping[str, int],
) -> None:
    """Count who sent what; a second sender of an object gets a row of its own."""
    statement = insert(connection, arrival)
    counted = statement.on_conflict_do_update(
        index_elements=[arrival.c.dicom_object_id, arrival.c.sender_id],
        set_={
            "count": arrival.c.count + 1,
            "last_at": sa.case(
                (statement.excluded.last_at > arrival.c.last_at, statement.excluded.last_at),
                else_=arrival.c.last_at,
            ),
        },
    )
    rows = [
        {
            "dicom_object_id": object_ids[id_of(receipt)],
            "sender_id": known[caller_of(receipt)].sender_id,
            "origin": receipt.item.arrival.origin,
            "first_at": receipt.item.arrival.received_at,
            "last_at": receipt.item.arrival.received_at,
            "count": 1,
        }
        for receipt in receipts
    ]
    connection.execute(counted, fitted(arrival, rows))
