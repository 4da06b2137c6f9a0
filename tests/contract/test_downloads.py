"""Asking for downloads, and what the worker knows of them."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from rtpacs.archive.download_files import DownloadFiles
from rtpacs.dicom.dicomdir import DicomDirectory
from rtpacs.errors import AccessDeniedError, LimitExceededError, NotFoundError, StateError
from rtpacs.rules.access import AccountRole, Actor
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.selection import Item, Level
from rtpacs.services.authority import authority_of
from rtpacs.services.downloads import Downloads, Writing
from rtpacs.store.downloads import SqlDownloadBook, SqlDownloads
from rtpacs.store.schema import dicom_object, job, patient, plan_set
from rtpacs.store.transfer_schema import download
from tests.builders import a_ct_slice, to_bytes
from tests.contract.filling import Filling, a_person
from tests.unit.rules.builders import CT_POSITIONS, a_series, an_rt_set

OTHER = a_person("77-A", "Andersen^Åse")
MEMBERS = len(CT_POSITIONS) + 3


class SomeSlice:
    """A CT slice under every name."""

    def read(self, name):
        return to_bytes(a_ct_slice(0))


class Archive:
    """A complete plan set and another patient's CT, and a physicist who downloads."""

    def __init__(self, database, folder) -> None:
        self.filling = Filling(database)
        self.filling.know()
        self.filling.send(an_rt_set())
        self.filling.send(a_series([0.0, 3.0]), patient=OTHER)
        self.filling.work()
        self.database = database
        self.files = DownloadFiles(folder)
        self.book = SqlDownloadBook(database.engine, database.clock)
        self.allowed = None

    def downloads(self, name="physics", *, center="AARHUS", role=AccountRole.SUBMITTER):
        """Downloads in somebody's name."""
        actor = Actor(name=name, center=center, roles=frozenset({role}))
        engine, clock = self.database.engine, self.database.clock
        return Downloads(
            lists=SqlDownloads(engine, clock, self.filling.jobs, authority_of(actor, clock)),
            files=self.files,
            contents=SomeSlice(),
            new_directory=DicomDirectory,
            stream_bytes=0,
        )

    def writing(self, quota_bytes=10**9):
        """The worker's side."""
        return Writing(
            book=self.book,
            files=self.files,
            contents=SomeSlice(),
            new_directory=DicomDirectory,
            may_download=lambda _, keys: keys if self.allowed is None else keys & self.allowed,
            clock=self.database.now,
            quota_bytes=quota_bytes,
            lasts=timedelta(days=7),
        )

    def run(self, **options):
        """Let the worker do the next download."""
        claim = self.filling.jobs.claim((JobKind.DOWNLOAD,))
        self.writing(**options).run(claim, lambda done, total: None)
        self.filling.jobs.finish(claim)

    def items(self, table, level):
        rows = self.database.rows(sa.select(table.c.public_id).order_by("id"))
        return [Item(level=level, id=row[0]) for row in rows]


@pytest.fixture
def archive(database, tmp_path):
    return Archive(database, tmp_path)


def test_a_plan_set_is_exactly_its_linked_objects(archive):
    """The other patient's slices are not among them."""
    downloads = archive.downloads()
    key = downloads.ask(archive.items(plan_set, Level.PLAN_SET))
    with pytest.raises(StateError, match="not ready"):
        downloads.file(key)
    archive.run()

    row = downloads.one(key)
    assert (row.state, row.objects) == ("done", MEMBERS)
    path = downloads.file(key)
    assert path.stat().st_size == row.file_bytes
    order = archive.book.order(key)
    assert {item.modality for item in order.objects} == {"CT", "RTSTRUCT", "RTPLAN", "RTDOSE"}


def test_it_is_there_for_the_one_who_asked_only(archive):
    """A colleague of the same center finds nothing; a reader cannot ask at all."""
    key = archive.downloads().ask(archive.items(patient, Level.PATIENT))
    archive.run()
    colleague = archive.downloads("colleague")
    assert colleague.page(offset=0, limit=10).total == 0
    for look in (colleague.one, colleague.file, colleague.remove):
        with pytest.raises(NotFoundError):
            look(key)
    with pytest.raises(NotFoundError):
        archive.downloads("reader", role=AccountRole.CLINICAL_READER).ask(
            archive.items(patient, Level.PATIENT)
        )


def test_rights_are_asked_when_it_is_written_and_when_it_is_fetched(archive):
    """Gone before the job: it fails. Gone afterwards: the file is as if it were not there."""
    downloads = archive.downloads()
    downloads.ask(archive.items(patient, Level.PATIENT))
    archive.allowed = {1}
    with pytest.raises(AccessDeniedError, match="no longer download"):
        archive.run()

    archive.allowed = None
    archive.database.execute(sa.delete(job).where(job.c.kind == JobKind.DOWNLOAD))
    key = downloads.ask(archive.items(patient, Level.PATIENT))
    archive.run()
    moved = archive.downloads(center="ELSEWHERE")
    with pytest.raises(NotFoundError):
        moved.file(key)
    assert downloads.file(key).exists()


def test_the_room_for_downloads_has_an_end(archive):
    """The second does not fit: it says what to do, and the first stays."""
    downloads = archive.downloads()
    first = downloads.ask(archive.items(patient, Level.PATIENT))
    archive.run()
    downloads.ask(archive.items(patient, Level.PATIENT))
    with pytest.raises(LimitExceededError, match="remove some"):
        archive.run(quota_bytes=archive.files.total_bytes() + 10)
    assert downloads.file(first).exists()


def test_what_is_over_is_cleared_away(archive):
    """After seven days the file goes, the row stays as a log; so does what nobody knows."""
    downloads = archive.downloads()
    key = downloads.ask(archive.items(patient, Level.PATIENT))
    archive.run()
    stray = archive.files.path(key).with_name("nobody.part")
    stray.write_bytes(b"left by a dead worker")
    assert archive.writing().clear() == 1
    assert not stray.exists()

    past = archive.database.now() - timedelta(seconds=1)
    archive.database.execute(sa.update(download).values(expires_at=past))
    assert archive.writing().clear() == 1
    assert downloads.one(key).state == "expired"
    assert archive.files.names() == set()


def test_an_object_that_left_meanwhile_ends_the_download(archive):
    """A ZIP that lacks one without a word would be worse."""
    downloads = archive.downloads()
    downloads.ask(archive.items(patient, Level.PATIENT))
    first = sa.select(sa.func.min(dicom_object.c.id)).scalar_subquery()
    archive.database.execute(sa.delete(dicom_object).where(dicom_object.c.id == first))
    with pytest.raises(NotFoundError, match="ask for it again"):
        archive.run()


def test_removing_takes_the_file_and_leaves_the_log(archive):
    downloads = archive.downloads()
    key = downloads.ask(archive.items(patient, Level.PATIENT))
    archive.run()
    downloads.remove(key)
    assert archive.files.names() == set()
    assert downloads.one(key).file_bytes is None
