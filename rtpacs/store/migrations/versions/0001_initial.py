"""The first schema: a frozen copy, so that later changes of ``schema.py`` do not change it."""

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True, autoincrement=True)


def _to(table: str, *, nullable: bool = False, name: str | None = None) -> Column[int]:
    return Column(
        name or f"{table}_id",
        ForeignKey(f"{table}.id", ondelete="CASCADE"),
        nullable=nullable,
        index=True,
    )


Table(
    "center",
    metadata,
    _id(),
    Column("code", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("quarantined", Boolean, nullable=False),
    Column("newest_wins", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

Table(
    "node",
    metadata,
    _id(),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("aet", String(16), nullable=False, index=True),
    Column("host", Text, nullable=False),
    Column("port", Integer),
    _to("center"),
    Column("may_store", Boolean, nullable=False),
    Column("may_query", Boolean, nullable=False),
    Column("may_receive", Boolean, nullable=False),
)

Table(
    "node_network",
    metadata,
    _to("node"),
    Column("network", String(64), nullable=False),
    UniqueConstraint("node_id", "network"),
)

Table(
    "sender",
    metadata,
    _id(),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("aet", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    _to("center"),
    Column("node_id", ForeignKey("node.id", ondelete="SET NULL"), index=True),
    Column("first_seen", DateTime(timezone=True), nullable=False),
    Column("last_seen", DateTime(timezone=True), nullable=False),
    UniqueConstraint("aet", "address"),
)

Table(
    "patient",
    metadata,
    _id(),
    Column("public_id", String(32), nullable=False, unique=True),
    _to("center"),
    Column("issuer", String(64), nullable=False),
    Column("patient_id", String(128), nullable=False),
    Column("provisional_key", String(160), nullable=False),
    Column("name", Text, nullable=False),
    Column("name_folded", Text, nullable=False, index=True),
    Column("birth_date", String(10)),
    Column("sex", String(16)),
    Column("first_received", DateTime(timezone=True), nullable=False),
    Column("last_received", DateTime(timezone=True), nullable=False, index=True),
    UniqueConstraint("center_id", "issuer", "patient_id", "provisional_key"),
    sqlite_autoincrement=True,
)

Table(
    "study",
    metadata,
    _id(),
    _to("patient"),
    Column("study_uid", String(128), nullable=False, index=True),
    Column("date", String(10)),
    Column("description", Text),
    Column("accession_number", Text),
    Column("dicom_study_id", Text),
    UniqueConstraint("patient_id", "study_uid"),
)

Table(
    "series",
    metadata,
    _id(),
    _to("study"),
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
    UniqueConstraint("study_id", "series_uid"),
)

Table(
    "dicom_object",
    metadata,
    _id(),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("orthanc_id", String(44), nullable=False),
    _to("center"),
    Column("version_file", String(64)),
    Column("conflict", JSON, nullable=False),
    _to("sender"),
    _to("patient", nullable=True),
    _to("series", nullable=True),
    Column("sop_uid", String(128), index=True),
    Column("sop_class_uid", String(128)),
    Column("transfer_syntax_uid", String(128)),
    Column("role", String(32), nullable=False, index=True),
    Column("instance_number", Integer),
    Column("content_date", String(32)),
    Column("frame_of_reference_uid", String(128), index=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("header", JSON(none_as_null=True)),
    Column("content", JSON(none_as_null=True)),
    Column("findings", JSON, nullable=False),
    Column("error_count", Integer, nullable=False),
    # The center that Orthanc's own metadata name for this row; another one is to be written.
    Column("noted_center_id", Integer),
    Index(
        "ix_dicom_object_unnoted",
        "id",
        sqlite_where=text("noted_center_id IS NULL OR noted_center_id <> center_id"),
        postgresql_where=text("noted_center_id IS NULL OR noted_center_id <> center_id"),
    ),
    Index("ix_dicom_object_received_at", "received_at", "size_bytes"),
    UniqueConstraint("orthanc_id", "center_id"),
    sqlite_autoincrement=True,
)

Table(
    "version",
    metadata,
    _id(),
    Column("dicom_object_id", ForeignKey("dicom_object.id", ondelete="SET NULL"), index=True),
    Column("orthanc_id", String(44), nullable=False),
    _to("center"),
    _to("sender"),
    Column("sop_uid", String(128), index=True),
    Column("digest", String(64), nullable=False),
    Column("clinical_digest", String(64), nullable=False),
    Column("doubt", Text, nullable=False),
    Column("file", String(64), nullable=False),
    Column("in_archive", Boolean, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("differences", JSON, nullable=False),
    Column("first_at", DateTime(timezone=True), nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("orthanc_id", "center_id", "digest"),
)

Table(
    "reference",
    metadata,
    _id(),
    _to("dicom_object"),
    Column("kind", String(48), nullable=False),
    Column("target_uid", String(128), nullable=False, index=True),
    Column("target_class_uid", String(128)),
)

Table(
    "arrival",
    metadata,
    _to("dicom_object"),
    _to("sender"),
    Column("origin", String(32), nullable=False),
    Column("first_at", DateTime(timezone=True), nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    Column("count", Integer, nullable=False),
    UniqueConstraint("dicom_object_id", "sender_id"),
)

Table(
    "tps_dvh",
    metadata,
    _id(),
    _to("dicom_object"),
    Column("position", Integer, nullable=False),
    Column("roi_numbers", JSON, nullable=False),
    Column("source_type", String(16), nullable=False),
    Column("dose_units", String(16), nullable=False),
    Column("volume_units", String(16), nullable=False),
    Column("minimum", Float),
    Column("maximum", Float),
    Column("mean", Float),
    Column("findings", JSON, nullable=False),
    Column("curve", LargeBinary, nullable=False),
    UniqueConstraint("dicom_object_id", "position"),
)

Table(
    "inbox",
    metadata,
    _id(),
    Column("orthanc_id", String(44), nullable=False),
    Column("aet", String(64), nullable=False),
    Column("address", String(64), nullable=False),
    Column("origin", String(32), nullable=False),
    Column("center_code", String(64), nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("token", Integer, nullable=False),
    Column("run_at", DateTime(timezone=True), nullable=False, index=True),
    Column("lease_until", DateTime(timezone=True)),
    Column("error", Text),
    UniqueConstraint("orthanc_id", "aet", "address", "deleted"),
    sqlite_autoincrement=True,
)

Table(
    "feed",
    metadata,
    Column("archive_name", String(64), primary_key=True),
    Column("cursor", BigInteger, nullable=False),
)

Table(
    "pair",
    metadata,
    _id(),
    Column("public_id", String(32), nullable=False, unique=True),
    _to("patient"),
    _to("dicom_object", name="structure_set_id"),
    Column("doses_key", Text, nullable=False),
    Column("dose_kind", String(48), nullable=False),
    Column("plan_id", ForeignKey("dicom_object.id", ondelete="SET NULL"), index=True),
    Column("slice_spacing_mm", Float),
    Column("findings", JSON, nullable=False),
    Column("input_hash", String(64), nullable=False),
    UniqueConstraint("structure_set_id", "doses_key"),
)

Table(
    "pair_dose",
    metadata,
    _to("pair"),
    _to("dicom_object"),
    UniqueConstraint("pair_id", "dicom_object_id"),
)

Table(
    "plan_set",
    metadata,
    _id(),
    Column("public_id", String(32), nullable=False, unique=True),
    _to("patient"),
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
    Column("links", JSON, nullable=False),
    Column("findings", JSON, nullable=False),
    Column("settled", JSON, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

Table(
    "plan_set_object",
    metadata,
    _to("plan_set"),
    _to("dicom_object"),
    UniqueConstraint("plan_set_id", "dicom_object_id"),
)

Table(
    "question",
    metadata,
    _id(),
    _to("plan_set"),
    Column("kind", String(32), nullable=False, index=True),
    Column("body", JSON, nullable=False),
)

Table(
    "calculation",
    metadata,
    _id(),
    _to("pair"),
    Column("input_hash", String(64), nullable=False),
    Column("algorithm", String(64), nullable=False),
    Column("rtpacs_version", String(32), nullable=False),
    Column("calculated_at", DateTime(timezone=True), nullable=False),
    Column("input_uids", JSON, nullable=False),
    Column("findings", JSON, nullable=False),
    UniqueConstraint("pair_id", "input_hash"),
)

Table(
    "dvh",
    metadata,
    _id(),
    _to("calculation"),
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
    Column("v_gy", JSON, nullable=False),
    Column("warnings", JSON, nullable=False),
    Column("bin_gy", Float, nullable=False),
    Column("curve", LargeBinary, nullable=False),
    UniqueConstraint("calculation_id", "number"),
)

Table(
    "job",
    metadata,
    _id(),
    Column("kind", String(32), nullable=False),
    Column("key", String(128), nullable=False),
    Column("label", Text, nullable=False),
    Column("lane", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("want", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("claimed_want", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("run_at", DateTime(timezone=True), nullable=False),
    Column("run_latest", DateTime(timezone=True), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("lease_until", DateTime(timezone=True)),
    Column("token", Integer, nullable=False),
    Column("progress_done", Integer, nullable=False),
    Column("progress_total", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("error", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    UniqueConstraint("kind", "key"),
    Index("ix_job_due", "state", "run_at"),
    sqlite_autoincrement=True,
)

Table(
    "account",
    metadata,
    _id(),
    Column("name", String(64), nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("role", String(32), nullable=False),
    Column("center_id", ForeignKey("center.id", ondelete="SET NULL")),
    Column("must_change_password", Boolean, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("session_version", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

Table(
    "decision",
    metadata,
    _id(),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("kind", String(32), nullable=False),
    Column("center", String(64), nullable=False),
    Column("subject", String(200), nullable=False, index=True),
    Column("target", String(200), index=True),
    Column("topic", Text, nullable=False, index=True),
    Column("statement", JSON, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False, index=True),
    Column("undone_at", DateTime(timezone=True)),
    Column("undone_by", Text),
    Column("undo_reason", Text),
)

Table(
    "fact",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)


def upgrade() -> None:
    metadata.create_all(op.get_bind(), checkfirst=False)


def downgrade() -> None:
    metadata.drop_all(op.get_bind(), checkfirst=False)
