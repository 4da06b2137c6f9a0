"""Transfers in memory: one that runs, one that failed in part, and what is asked for."""

import tempfile
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from rtpacs.dicom.dicomdir import DicomDirectory
from rtpacs.dicom.tags import tags
from rtpacs.errors import InvalidInputError, NotFoundError
from rtpacs.rules.transfers import SendState
from rtpacs.services.contents import ContentName
from rtpacs.services.downloads import DownloadRow, Downloads, PackOrder
from rtpacs.services.inspecting import (
    Event,
    Inspection,
    InstanceRow,
    ObjectDetail,
    RelatedRow,
    SeriesDetail,
    StudyDetail,
)
from rtpacs.services.packing import PackedObject
from rtpacs.services.remote import (
    Criteria,
    FetchState,
    FoundStudy,
    RemoteQueryRow,
    RemoteStudyRow,
)
from rtpacs.services.transfers import Extent, TransferObjectRow, TransferRow
from rtpacs.services.views import NodeRow, Page
from tests.builders import a_ct_slice, to_bytes
from tests.web.sample_plans import NOW, a_study

PACS = NodeRow(
    id="nd2", aet="LAKE_PACS", host="192.0.2.30", port=104, center_code="LAKE", networks=(),
    may_store=False, may_query=True, may_receive=True, tls=True,
)  # fmt: skip


def rows(patient) -> tuple[TransferRow, ...]:
    """A running and a partly failed transfer of a patient's data."""
    running = TransferRow(
        id="tr1", job_id=3, state="running", aet="LAKE_PACS", center_code="LAKE", patient=patient,
        requested_by="physics", reason="re-treatment", objects=480, sent=210, warnings=2,
        refused=1, failed=0, waiting=267, size_bytes=252_000_000, sent_bytes=111_000_000,
        mine=True, bytes_per_s=21_500_000.0, remaining_s=6.6, error=None, next_try_at=None,
        created_at=NOW - timedelta(seconds=9), finished_at=None,
    )  # fmt: skip
    failed = replace(
        running, id="tr2", job_id=4, state="failed", patient=None, sent=477, waiting=0,
        bytes_per_s=None, remaining_s=None, error="1 of 480 objects did not reach LAKE_PACS",
        finished_at=NOW,
    )  # fmt: skip
    return running, failed


OBJECTS = tuple(
    TransferObjectRow(
        object_id=f"ob{number}", sop_uid=f"1.2.826.0.1.{number}", state=state, text=text,
        sop_class_uid=f"1.2.840.10008.5.1.4.1.1.{kind}", status=status,
        attempts=attempts, size_bytes=526_000, ended_at=NOW,
    )
    for number, (kind, state, text, status, attempts) in enumerate(
        (
            ("481.3", SendState.REFUSED, "peer does not accept RT Structure Set", None, 0),
            ("2", SendState.WARNING, "it changed some values (0xB000)", 0xB000, 1),
            ("2", SendState.SENT, "", 0, 2),
        )
    )
)  # fmt: skip


@dataclass
class FakeTransfers:
    """``asked`` notes (items, nodes, reason) and what was changed."""

    known: tuple[TransferRow, ...]
    asked: list = field(default_factory=list)

    def recipients(self):
        return [PACS]

    def extent(self, items):
        return Extent(objects=480, size_bytes=252_000_000, patients=len(items))

    def send(self, items, node_ids, *, reason):
        if set(node_ids) != {PACS.id}:
            raise InvalidInputError("Choose a node that may receive.")
        self.asked.append((items, node_ids, reason))
        return ["tr1"]

    def page(self, *, state, offset, limit):
        found = tuple(row for row in self.known if state in ("", row.state))
        return Page(items=found, total=len(found), offset=offset, limit=limit)

    def one(self, transfer_id):
        for row in self.known:
            if row.id == transfer_id:
                return row
        raise NotFoundError("there is no such transfer")

    def retry(self, transfer_id):
        self.asked.append(("retry", self.one(transfer_id).id))

    def cancel(self, transfer_id):
        self.asked.append(("cancel", self.one(transfer_id).id))

    def objects(self, transfer_id, *, state, offset, limit):
        found = tuple(row for row in OBJECTS if state in ("", row.state))
        return Page(items=found, total=len(found), offset=offset, limit=limit)


@dataclass
class FakeDownloadLists:
    """One that is ready and one that is being written; ``rights`` may be taken away."""

    rights: bool = True
    asked: list = field(default_factory=list)
    removed: list = field(default_factory=list)
    rows: tuple = (
        DownloadRow(
            id="dl1", state="done", objects=3, size_bytes=9, done=3, file_bytes=9,
            sha256="ab" * 32, error=None, created_at=NOW, expires_at=NOW + timedelta(days=7),
        ),
        DownloadRow(
            id="dl2", state="running", objects=480, size_bytes=252_000_000, done=120,
            file_bytes=None, sha256="", error=None, created_at=NOW, expires_at=None,
        ),
    )  # fmt: skip

    def add(self, items, *, streamed):
        self.asked.append((items, streamed))
        return "dl3" if streamed else "dl2"

    def order(self, download_id):
        slices = tuple(
            PackedObject(
                content=ContentName(f"o{number}"), patient_key=1, study_key=1, series_key=1,
                center_code="NORTH", modality="CT", sop_class_uid="1.2", sop_uid=f"1.2.{number}",
            )
            for number in range(3)
        )  # fmt: skip
        keys = frozenset(range(3))
        return PackOrder(requested_by="physics", objects=slices, object_keys=keys, size_bytes=9)

    def page(self, *, offset, limit):
        return Page(items=self.rows, total=len(self.rows), offset=offset, limit=limit)

    def one(self, download_id):
        for row in self.rows:
            if row.id == download_id:
                return row
        raise NotFoundError("there is no such download")

    def require_all(self, download_id):
        if not self.rights:
            raise NotFoundError("there is no such download")

    def remove(self, download_id):
        self.removed.append(self.one(download_id).id)


class FakeFiles:
    """Nine digits under every name."""

    def path(self, name):
        folder = Path(tempfile.gettempdir(), "rtpacs-fake-download")
        folder.mkdir(exist_ok=True)
        path = folder / "digits.zip"
        path.write_bytes(b"123456789")
        return path

    def remove(self, name):
        return None


class FakeContents:
    """A CT slice under every name."""

    def read(self, name):
        return to_bytes(a_ct_slice(int(name[1:])))


def downloads() -> Downloads:
    """Downloads; what is larger than 300 MB is written first."""
    return Downloads(
        lists=FakeDownloadLists(), files=FakeFiles(), contents=FakeContents(),
        new_directory=DicomDirectory, stream_bytes=300_000_000,
    )  # fmt: skip


FOUND = tuple(
    RemoteStudyRow(
        id=number, state=state, text=text, done=done, failed=failed, here=here,
        study=FoundStudy(
            study_uid=f"1.2.{number}", patient_id=f"47{number}", patient_name="Muster^Anna",
            birth_date="1958-07-02", study_date="2019-05-04", description="CT planning",
            modalities="CT, RTPLAN", series=3, objects=143,
        ),
    )
    for number, (state, text, done, failed, here) in enumerate(
        (
            (FetchState.FOUND, "", 0, 0, 0),
            (FetchState.FETCHING, "", 87, 0, 87),
            (FetchState.PARTLY, "2 of 143 objects could not be sent", 141, 2, 141),
        )
    )
)  # fmt: skip


QUESTION = RemoteQueryRow(
    id="rq1", aet="LAKE_PACS", center_code="LAKE", requested_by="physics",
    criteria=Criteria(numbers=("4711", "4712", "4713", "4714")), created_at=NOW, state="done",
    error=None, fetch_state="running", fetch_error=None, found=3, more=True, studies=FOUND,
)  # fmt: skip


@dataclass
class FakeRemote:
    """One question with three studies; ``asked`` notes what was asked."""

    asked: list = field(default_factory=list)
    row: RemoteQueryRow = QUESTION

    def nodes(self):
        return [PACS]

    def ask(self, node_id, criteria):
        if node_id != PACS.id:
            raise InvalidInputError("Choose a node.")
        self.asked.append(criteria)
        return "rq1"

    def fetch(self, query_id, study_ids):
        self.asked.append((self.one(query_id).id, list(study_ids)))
        return len(study_ids)

    def page(self, *, offset, limit):
        return Page(items=(self.row,), total=1, offset=offset, limit=limit)

    def one(self, query_id):
        if query_id != self.row.id:
            raise NotFoundError("there is no such question")
        return self.row

    def cancel(self, query_id):
        self.asked.append(("cancel", self.one(query_id).id))


class FakeInspector:
    """Any object of the catalogue, in a series of the first patient."""

    def __init__(self, catalogue) -> None:
        self._catalogue = catalogue

    def study(self, study_id):
        detail = self._catalogue.patient("pt1")
        row = a_study(detail.row)
        if study_id != row.id:
            raise NotFoundError("there is no such study")
        return StudyDetail(
            study=row, plan_sets=detail.plan_sets, series=detail.series, objects=detail.objects
        )

    def series(self, series_id, *, offset, limit):
        detail = self._catalogue.patient("pt1")
        row = next((row for row in detail.series if row.id == series_id), None)
        if row is None:
            raise NotFoundError("there is no such series")
        item = InstanceRow(
            id="ob2", number=1, sop_uid="1.2.1", role="image", size_bytes=526_000, received_at=NOW
        )
        instances = Page(items=(item,), total=1, offset=offset, limit=limit)
        return SeriesDetail(patient=detail.row, series=row, instances=instances)

    def object(self, object_id):
        detail = self._catalogue.patient("pt1")
        return ObjectDetail(
            patient=detail.row, series=detail.series[0], object=self._catalogue.object(object_id),
            content=ContentName("o1"),
            refers_to=(
                RelatedRow(kind="plan", uid="1.2.7", id=None, role="", label=""),
                RelatedRow(kind="structures", uid="1.2.8", id="ob2", role="plan", label="P"),
            ),
            referred_by=(),
            events=(
                Event(what="sent", at=NOW, who="physics", text="to LAKE_PACS of LAKE"),
                Event(what="received", at=NOW, who="ECLIPSE @ 192.0.2.14", text=""),
            ),
            pairs=(),
        )  # fmt: skip


def inspection(catalogue) -> Inspection:
    """Objects of a catalogue; their tags are those of a CT slice."""
    return Inspection(
        index=FakeInspector(catalogue), read=lambda name: to_bytes(a_ct_slice(0)), list_tags=tags
    )
