"""The tables of the index, the same on SQLite and PostgreSQL.

``public_id`` is our own opaque id in pages, REST and files; DICOM UIDs are attributes that may
repeat. JSON columns hold values of ``rtpacs.rules`` written by ``store.codec``.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on both engines; a naive one is a programming error."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("datetimes must carry a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# ``sqlite_autoincrement`` where an id outlives its transaction (claims, keys of jobs, objects that
# are being judged): without it SQLite gives the id of a deleted row to the next one.
def primary_key() -> Column[int]:
    """The column ``id``."""
    return Column("id", Integer, primary_key=True, autoincrement=True)


def to_row(table: str, *, nullable: bool = False, name: str | None = None) -> Column[int]:
    """A column that names a row of another table and vanishes with it."""
    return Column(
        name or f"{table}_id",
        ForeignKey(f"{table}.id", ondelete="CASCADE"),
        nullable=nullable,
        index=True,
    )


# Errors and warnings among the findings: so that counting those of a whole archive reads no JSON.
def _finding_count() -> Column[int]:
    return Column("finding_count", Integer, nullable=False, server_default=text("0"))


def _findings_index(table: str) -> Index:
    """Where something is wrong, which is rare."""
    some = text("finding_count > 0")
    name = f"ix_{table}_finding_count"
    return Index(name, "finding_count", sqlite_where=some, postgresql_where=some)


center = Table(
    "center",
    metadata,
    primary_key(),
    Column("code", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False, default=""),
    # An unknown sender gets a center of its own that nobody sees until it is assigned.
    Column("quarantined", Boolean, nullable=False, default=False),
    # What names and numbers of uploaded patients must look like; empty: anything.
    Column("pseudonym_form", String(64), nullable=False, server_default=text("''")),
    # RT objects: what the same sender sent last counts, without asking.
    Column("newest_wins", Boolean, nullable=False, default=False),
    Column("created_at", UtcDateTime, nullable=False),
)

node = Table(
    "node",
    metadata,
    primary_key(),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("aet", String(16), nullable=False, index=True),
    Column("host", Text, nullable=False, default=""),
    Column("port", Integer),
    to_row("center"),
    Column("may_store", Boolean, nullable=False, default=False),
    Column("may_query", Boolean, nullable=False, default=False),
    Column("may_receive", Boolean, nullable=False, default=False),
    # We call it by TLS and never without.
    Column("tls", Boolean, nullable=False, server_default=false()),
)

node_network = Table(
    "node_network",
    metadata,
    to_row("node"),
    Column("network", String(64), nullable=False),
    UniqueConstraint("node_id", "network"),
)

sender = Table(
    "sender",
    metadata,
    primary_key(),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("aet", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    to_row("center"),
    Column("node_id", ForeignKey("node.id", ondelete="SET NULL"), index=True),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    UniqueConstraint("aet", "address"),
)

patient = Table(
    "patient",
    metadata,
    primary_key(),
    Column("public_id", String(32), nullable=False, unique=True),
    to_row("center"),
    Column("issuer", String(64), nullable=False, default=""),
    Column("patient_id", String(128), nullable=False),
    # Set for objects without PatientID: sender and study keep such people apart.
    Column("provisional_key", String(160), nullable=False, default=""),
    Column("name", Text, nullable=False, default=""),
    Column("name_folded", Text, nullable=False, default="", index=True),
    Column("birth_date", String(10)),
    Column("sex", String(16)),
    Column("first_received", UtcDateTime, nullable=False),
    Column("last_received", UtcDateTime, nullable=False, index=True),
    UniqueConstraint("center_id", "issuer", "patient_id", "provisional_key"),
    sqlite_autoincrement=True,
)

study = Table(
    "study",
    metadata,
    primary_key(),
    # Ours, given by ``hierarchy``; added to a table that SQLite would have to copy to forbid null.
    Column("public_id", String(32), index=True, unique=True),
    to_row("patient"),
    Column("study_uid", String(128), nullable=False, index=True),
    Column("date", String(10)),
    Column("description", Text),
    Column("accession_number", Text),
    Column("dicom_study_id", Text),
    UniqueConstraint("patient_id", "study_uid"),
)

series = Table(
    "series",
    metadata,
    primary_key(),
    Column("public_id", String(32), index=True, unique=True),
    to_row("study"),
    Column("series_uid", String(128), nullable=False, index=True),
    Column("modality", String(16), nullable=False),
    Column("number", Integer),
    Column("description", Text),
    Column("date", String(10)),
    Column("frame_of_reference_uid", String(128), index=True),
    Column("manufacturer", Text),
    Column("model", Text),
    Column("software_versions", Text),
    Column("institution", Text),
    # Body Part Examined; null also for series that came before it was read.
    Column("body_part", String(64)),
    UniqueConstraint("study_id", "series_uid"),
)

dicom_object = Table(
    "dicom_object",
    metadata,
    primary_key(),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("orthanc_id", String(44), nullable=False),
    # Whose copy this is: each center that sent the object has a row of its own.
    to_row("center"),
    # File of the version that counts here; null where that is what Orthanc holds.
    Column("version_file", String(64)),
    # Findings on other contents of the same object (``store.conflicts``).
    Column("conflict", JSON, nullable=False, default=list),
    to_row("sender"),
    # Null for objects that cannot be read: kept and listed, but of nobody.
    to_row("patient", nullable=True),
    to_row("series", nullable=True),
    Column("sop_uid", String(128), index=True),
    Column("sop_class_uid", String(128)),
    Column("transfer_syntax_uid", String(128)),
    Column("role", String(32), nullable=False, index=True),
    Column("instance_number", Integer),
    Column("content_date", String(32)),
    # The object's own: series of RT objects may mix frames of reference.
    Column("frame_of_reference_uid", String(128), index=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    # Patient, study and series texts as sent, of all but images: rows above merge several objects.
    Column("header", JSON(none_as_null=True)),
    Column("content", JSON(none_as_null=True)),
    Column("findings", JSON, nullable=False),
    Column("error_count", Integer, nullable=False, default=0),
    _finding_count(),
    # Of the code that read it; see ``services.ports.Reader``.
    Column("reader_version", Integer, nullable=False, server_default=text("0")),
    _findings_index("dicom_object"),
    # The withdrawal or erasure that takes it (``removal_schema``): out of plan sets from then on.
    Column("removal_id", Integer),
    Index(
        "ix_dicom_object_removal_id",
        "removal_id",
        sqlite_where=text("removal_id IS NOT NULL"),
        postgresql_where=text("removal_id IS NOT NULL"),
    ),
    # The center that Orthanc's own metadata name for this row; another one is to be written.
    Column("noted_center_id", Integer),
    Index(
        "ix_dicom_object_unnoted",
        "id",
        sqlite_where=text("noted_center_id IS NULL OR noted_center_id <> center_id"),
        postgresql_where=text("noted_center_id IS NULL OR noted_center_id <> center_id"),
    ),
    # With its size: what came in lately is summed without touching the rows.
    Index("ix_dicom_object_received_at", "received_at", "size_bytes"),
    UniqueConstraint("orthanc_id", "center_id"),
    sqlite_autoincrement=True,
)

# One content of one center's object; made when an object comes a second time.
version = Table(
    "version",
    metadata,
    primary_key(),
    # Null for what was deleted in Orthanc: its file is kept and reported, never dropped silently.
    Column("dicom_object_id", ForeignKey("dicom_object.id", ondelete="SET NULL"), index=True),
    Column("orthanc_id", String(44), nullable=False),
    to_row("center"),
    to_row("sender"),
    Column("sop_uid", String(128), index=True),
    Column("digest", String(64), nullable=False),
    Column("clinical_digest", String(64), nullable=False),
    Column("doubt", Text, nullable=False, default=""),
    # Name in the folder of versions (SHA-256 of the bytes), also of bytes that Orthanc holds.
    Column("file", String(64), nullable=False),
    Column("in_archive", Boolean, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("differences", JSON, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    # When it was recorded here: a decision made before did not know of it.
    Column("recorded_at", UtcDateTime, nullable=False),
    UniqueConstraint("orthanc_id", "center_id", "digest"),
)

reference = Table(
    "reference",
    metadata,
    primary_key(),
    to_row("dicom_object"),
    Column("kind", String(48), nullable=False),
    Column("target_uid", String(128), nullable=False, index=True),
    Column("target_class_uid", String(128)),
)

arrival = Table(
    "arrival",
    metadata,
    to_row("dicom_object"),
    to_row("sender"),
    Column("origin", String(32), nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("count", Integer, nullable=False),
    UniqueConstraint("dicom_object_id", "sender_id"),
)

tps_dvh = Table(
    "tps_dvh",
    metadata,
    primary_key(),
    to_row("dicom_object"),
    Column("position", Integer, nullable=False),
    Column("roi_numbers", JSON, nullable=False),
    Column("source_type", String(16), nullable=False),
    Column("dose_units", String(16), nullable=False),
    Column("volume_units", String(16), nullable=False),
    Column("minimum", Float),
    Column("maximum", Float),
    Column("mean", Float),
    Column("findings", JSON, nullable=False),
    Column("curve", LargeBinary, nullable=False),  # two rows of float64: dose, volume
    UniqueConstraint("dicom_object_id", "position"),
)

inbox = Table(
    "inbox",
    metadata,
    primary_key(),
    Column("orthanc_id", String(44), nullable=False),
    Column("aet", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    Column("origin", String(32), nullable=False),
    Column("center_code", String(64), nullable=False, default=""),
    Column("deleted", Boolean, nullable=False, default=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("token", Integer, nullable=False, default=0),
    Column("run_at", UtcDateTime, nullable=False, index=True),
    Column("lease_until", UtcDateTime),
    Column("error", Text),
    UniqueConstraint("orthanc_id", "aet", "address", "deleted"),
    sqlite_autoincrement=True,
)

feed = Table(
    "feed",
    metadata,
    Column("archive_name", String(64), primary_key=True),
    Column("cursor", BigInteger, nullable=False),
)

pair = Table(
    "pair",
    metadata,
    primary_key(),
    Column("public_id", String(32), nullable=False, unique=True),
    to_row("patient"),
    to_row("dicom_object", name="structure_set_id"),
    # Sorted Orthanc ids of the doses, comma between: with the structure set the pair's identity.
    Column("doses_key", Text, nullable=False),
    Column("dose_kind", String(48), nullable=False),
    Column("plan_id", ForeignKey("dicom_object.id", ondelete="SET NULL"), index=True),
    Column("slice_spacing_mm", Float),
    Column("findings", JSON, nullable=False),
    # Names the present inputs (``services.inputs``): a calculation of other ones is out of date.
    Column("input_hash", String(64), nullable=False),
    UniqueConstraint("structure_set_id", "doses_key"),
)

pair_dose = Table(
    "pair_dose",
    metadata,
    to_row("pair"),
    to_row("dicom_object"),
    UniqueConstraint("pair_id", "dicom_object_id"),
)

plan_set = Table(
    "plan_set",
    metadata,
    primary_key(),
    Column("public_id", String(32), nullable=False, unique=True),
    to_row("patient"),
    Column(
        "plan_id",
        ForeignKey("dicom_object.id", ondelete="CASCADE"),
        nullable=False,
        unique=True,
    ),
    Column("structure_set_id", ForeignKey("dicom_object.id", ondelete="SET NULL"), index=True),
    Column("image_series_id", ForeignKey("series.id", ondelete="SET NULL"), index=True),
    Column("pair_id", ForeignKey("pair.id", ondelete="SET NULL"), index=True),
    Column("state", String(48), nullable=False, index=True),
    Column("label", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("intent", String(32)),
    Column("approval_status", String(32)),
    Column("date", String(10)),
    Column("tps", Text, nullable=False),
    Column("prescribed_gy", Float),
    Column("fractions_planned", Integer),
    Column("beams", Integer, nullable=False),
    Column("treatment", JSON, nullable=False),
    # The status in ``treatment``, to be searched.
    Column("treatment_status", String(32), nullable=False, server_default=text("''"), index=True),
    Column("links", JSON, nullable=False),
    Column("findings", JSON, nullable=False),
    _finding_count(),
    # Names of its structures, folded, a line each and at both ends: searched with wildcards.
    Column("structures", Text, nullable=False, server_default=text("''")),
    # Decisions that shape it, as the rules say them.
    Column("settled", JSON, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    _findings_index("plan_set"),
)

plan_set_object = Table(
    "plan_set_object",
    metadata,
    to_row("plan_set"),
    to_row("dicom_object"),
    UniqueConstraint("plan_set_id", "dicom_object_id"),
)

question = Table(
    "question",
    metadata,
    primary_key(),
    to_row("patient"),
    # None where it is about an object that is in no plan set.
    to_row("plan_set", nullable=True),
    # Where one answer is for all images of a series.
    to_row("series", nullable=True),
    Column("kind", String(32), nullable=False, index=True),
    Column("body", JSON, nullable=False),
)

calculation = Table(
    "calculation",
    metadata,
    primary_key(),
    to_row("pair"),
    Column("input_hash", String(64), nullable=False),
    Column("algorithm", String(64), nullable=False, index=True),
    Column("rtpacs_version", String(32), nullable=False),
    Column("calculated_at", UtcDateTime, nullable=False),
    Column("input_uids", JSON, nullable=False),
    Column("findings", JSON, nullable=False),
    _finding_count(),
    _findings_index("calculation"),
    UniqueConstraint("pair_id", "input_hash"),
)

dvh = Table(
    "dvh",
    metadata,
    primary_key(),
    to_row("calculation"),
    Column("number", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("status", String(32), nullable=False),
    Column("volume_cm3", Float),
    Column("covered_volume_cm3", Float),
    Column("min_gy", Float),
    Column("max_gy", Float),
    Column("mean_gy", Float),
    Column("d98_gy", Float),
    Column("d95_gy", Float),
    Column("d50_gy", Float),
    Column("d2_gy", Float),
    Column("d0_03cm3_gy", Float),
    Column("v_gy", JSON, nullable=False),  # covered cm³ at 1, 2 … 100 Gy
    Column("warnings", JSON, nullable=False),
    Column("bin_gy", Float, nullable=False),
    Column("curve", LargeBinary, nullable=False),  # float32 cumulative cm³ per bin edge, zlib
    UniqueConstraint("calculation_id", "number"),
)

job = Table(
    "job",
    metadata,
    primary_key(),
    Column("kind", String(32), nullable=False),
    Column("key", String(128), nullable=False),
    Column("label", Text, nullable=False, default=""),
    Column("lane", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("want", Integer, nullable=False, default=1),
    Column("done", Integer, nullable=False, default=0),
    Column("claimed_want", Integer, nullable=False, default=0),
    Column("priority", Integer, nullable=False, default=0),
    Column("run_at", UtcDateTime, nullable=False),
    Column("run_latest", UtcDateTime, nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("max_attempts", Integer, nullable=False),
    Column("lease_until", UtcDateTime),
    Column("token", Integer, nullable=False, default=0),
    Column("progress_done", Integer, nullable=False, default=0),
    Column("progress_total", Integer, nullable=False, default=0),
    Column("note", Text, nullable=False, default=""),
    Column("error", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("kind", "key"),
    Index("ix_job_due", "state", "run_at"),
    sqlite_autoincrement=True,
)

# One run over the whole archive; ``after_pair_id`` is how far it got, see ADR 0011.
recalculation = Table(
    "recalculation",
    metadata,
    primary_key(),
    Column("scope", String(16), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("after_pair_id", Integer, nullable=False),
    Column("last_pair_id", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("passed", Integer, nullable=False),
    # Pace is measured since the last start or resume.
    Column("passed_before", Integer, nullable=False),
    Column("resumed_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
)

decision = Table(
    "decision",
    metadata,
    primary_key(),
    Column("public_id", String(32), nullable=False, unique=True),
    # No foreign keys: decisions outlive the index, which can be built anew from the archive.
    Column("kind", String(32), nullable=False),
    Column("center", String(64), nullable=False),
    Column("subject", String(200), nullable=False, index=True),
    Column("target", String(200), index=True),
    # What people look at together: of decisions that were made on one topic, one counts.
    Column("topic", Text, nullable=False, index=True),
    Column("statement", JSON, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False, index=True),
    Column("undone_at", UtcDateTime),
    Column("undone_by", Text),
    Column("undo_reason", Text),
    # The id of the first of several that were made, and are undone, in one act.
    Column("group_id", String(32), nullable=False, server_default=text("''"), index=True),
)

fact = Table(
    "fact",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
