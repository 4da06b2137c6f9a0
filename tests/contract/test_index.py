"""Recording arrivals in the index and forgetting what left the archive."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from rtpacs.rules.jobs import JobKind
from rtpacs.rules.objects import (
    Finding,
    ParsedObject,
    Reference,
    ReferenceKind,
    Role,
    Severity,
    TpsDvh,
)
from rtpacs.services.ports import Receipt
from rtpacs.store.engine import writing
from rtpacs.store.schema import (
    arrival,
    center,
    dicom_object,
    inbox,
    job,
    node,
    node_network,
    patient,
    reference,
    sender,
    series,
    study,
    tps_dvh,
)
from tests.contract.databases import START, Database
from tests.contract.world import World, an_arrival
from tests.unit.rules.builders import (
    DOSE_UID,
    a_dose,
    a_plan,
    a_series,
    a_structure_set,
)

UNREADABLE = Finding(code="unreadable", severity=Severity.ERROR, text="no DICOM")


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def of_patient(parsed: ParsedObject, **changes: object) -> ParsedObject:
    """The same object with another patient module."""
    return replace(parsed, patient=replace(parsed.patient, **changes))


def know(world: World, code: str, aet: str, network: str, *, may_store: bool = True) -> None:
    """A center with one node."""
    with writing(world.database.engine) as connection:
        made = connection.execute(
            sa.insert(center)
            .values(code=code, name="", quarantined=False, created_at=START)
            .returning(center.c.id)
        ).scalar_one()
        node_id = connection.execute(
            sa.insert(node)
            .values(public_id=code, aet=aet, host="", center_id=made, may_store=may_store)
            .returning(node.c.id)
        ).scalar_one()
        connection.execute(sa.insert(node_network).values(node_id=node_id, network=network))


def assembled(world: World) -> list[str]:
    """Patient numbers of the patients that wait for assembly."""
    keys = sa.select(sa.cast(job.c.key, sa.Integer)).where(job.c.kind == JobKind.ASSEMBLE)
    rows = world.database.rows(
        sa.select(patient.c.patient_id).where(patient.c.id.in_(keys)).order_by(patient.c.id)
    )
    return [row.patient_id for row in rows]


def forget_jobs(world: World) -> None:
    with writing(world.database.engine) as connection:
        connection.execute(job.delete())


def only(world: World, table: sa.Table):
    (row,) = world.database.rows(sa.select(table))
    return row


class TestRecord:
    def test_an_object_stands_under_its_patient_study_and_series(self, world: World):
        """One row of each, and nothing left in the inbox."""
        world.receive([("o", a_dose().parsed)])
        for table in (patient, study, series, dicom_object, arrival, sender):
            assert world.database.count(table) == 1
        row = only(world, dicom_object)
        assert (row.orthanc_id, row.sop_uid, row.role) == ("o", DOSE_UID, Role.DOSE)
        assert row.patient_id == only(world, patient).id
        assert world.inbox.count() == 0

    def test_references_and_exported_dvhs_are_kept(self, world: World):
        """In the order of the object."""
        dvh = TpsDvh(
            roi_numbers=(1,),
            source_type="CUMULATIVE",
            dose_units="GY",
            volume_units="CM3",
            dose=(0.0, 1.0),
            volume=(10.0, 0.0),
            minimum=0.0,
            maximum=None,
            mean=0.5,
            findings=(),
        )
        plan = a_plan(structure_sets=("1.2.3.41", "1.2.3.40"))
        world.receive([("o", replace(plan.parsed, tps_dvhs=(dvh,)))])
        rows = world.database.rows(sa.select(reference).order_by(reference.c.id))
        assert [row.target_uid for row in rows] == ["1.2.3.41", "1.2.3.40"]
        assert only(world, tps_dvh).roi_numbers == [1]
        assert only(world, tps_dvh).maximum is None

    def test_known_ids_are_those_indexed(self, world: World):
        world.receive([("a", a_dose().parsed)])
        world.receive([("b", None)], error=UNREADABLE)
        assert world.index.known(["a", "b", "c"]) == {"a", "b"}

    def test_ids_come_in_ascending_order(self, world: World):
        images = a_series([0, 3, 6])
        world.receive([(key, item.parsed) for key, item in zip("cab", images, strict=True)])
        assert list(world.index.orthanc_ids()) == ["a", "b", "c"]

    def test_what_cannot_be_read_is_listed_without_a_patient(self, world: World):
        """Kept with its reason; no job, since it belongs to nobody."""
        world.receive([("o", None)], error=UNREADABLE)
        row = only(world, dicom_object)
        assert (row.role, row.patient_id, row.error_count) == (Role.OTHER, None, 1)
        assert row.findings[0]["text"] == "no DICOM"
        assert world.database.count(job) == 0

    def test_what_an_earlier_reader_could_not_read_is_found_by_its_version(self, world: World):
        """Readable objects are not, whatever read them."""
        world.receive([("a", a_dose().parsed)], reader_version=1)
        world.receive([("b", None)], error=UNREADABLE, reader_version=1)
        world.receive([("c", None)], error=UNREADABLE, reader_version=2)
        assert world.index.unreadable(read_before=1) == []
        assert world.index.unreadable(read_before=2) == ["b"]
        assert world.index.unreadable(read_before=3) == ["b", "c"]

    def test_one_bad_object_does_not_stop_the_batch(self, world: World):
        """NUL, lone surrogates, endless texts, NaN and huge numbers are bent until they fit."""
        bad = a_dose().parsed
        bad = replace(
            of_patient(bad, name="A\0B\ud800", patient_id="7" * 500),
            content=replace(bad.content, scaling=float("nan")),
            instance_number=2**40,
        )
        world.receive([("bad", bad), ("good", a_plan().parsed)])
        assert world.index.known(["bad", "good"]) == {"bad", "good"}
        row = world.database.rows(sa.select(dicom_object).where(dicom_object.c.orthanc_id == "bad"))
        assert row[0].instance_number is None
        names = {row.name for row in world.database.rows(sa.select(patient))}
        assert "A\ufffdB\ufffd" in names

    def test_long_patient_numbers_stay_different(self, world: World):
        """Cutting a number must never join two people."""
        parsed = a_dose().parsed
        world.receive([(end, of_patient(parsed, patient_id="7" * 500 + end)) for end in "ab"])
        assert world.database.count(patient) == 2

    def test_a_late_worker_records_nothing(self, world: World):
        """B9: another worker took the arrival over."""
        world.inbox.add([an_arrival("o")])
        (late,) = world.inbox.claim(1)
        world.database.pass_time(3600)
        world.inbox.claim(1)
        receipt = Receipt(item=late, parsed=a_dose().parsed, error=None, size_bytes=1)
        assert world.index.record([receipt]) == []
        assert world.index.known(["o"]) == set()
        assert world.inbox.count() == 1

    def test_nothing_to_record_is_no_work(self, world: World):
        world.index.record([])
        assert world.database.count(sender) == 0


class TestRepeats:
    def test_a_thousand_repeats_are_one_object_and_no_job(self, world: World):
        """A1: the arrival is counted and nothing else happens."""
        world.receive([("o", a_dose().parsed)])
        forget_jobs(world)
        for _ in range(1000 // 50):
            world.inbox.add([an_arrival("o")] * 50)
            repeats = [
                Receipt(item=item, parsed=None, error=None, size_bytes=0)
                for item in world.inbox.claim(10)
            ]
            assert world.index.record(repeats) == []
        assert world.database.count(dicom_object) == 1
        assert only(world, arrival).count == 1 + 1000 // 50
        assert world.database.count(job) == 0

    def test_a_parsed_repeat_changes_nothing_either(self, world: World):
        """The object was indexed between the look and the write."""
        world.receive([("o", a_dose().parsed)])
        before = only(world, dicom_object)
        world.receive([("o", of_patient(a_dose().parsed, patient_id="other"))])
        assert only(world, dicom_object) == before
        assert world.database.count(patient) == 1

    def test_a_second_sender_is_noted(self, world: World):
        """Co-ownership is decided later; the arrival says who sent it too."""
        world.receive([("o", a_dose().parsed)])
        world.receive([("o", None)], aet="PACS", received_at=START + timedelta(hours=1))
        assert world.database.count(dicom_object) == 1
        assert world.database.count(arrival) == 2

    def test_two_senders_in_one_batch_make_one_object(self, world: World):
        world.inbox.add([an_arrival("o"), an_arrival("o", aet="PACS")])
        new = []
        while items := world.inbox.claim(10):
            new += world.index.record(
                [Receipt(item=i, parsed=a_dose().parsed, error=None, size_bytes=1) for i in items]
            )
        assert [receipt.item.arrival.aet for receipt in new] == ["TPS"]
        assert world.database.count(dicom_object) == 1
        assert world.database.count(arrival) == 2

    def test_a_repeat_of_what_left_the_index_is_read_anew(self, world: World):
        """Neither parsed nor error: there is nothing to write, so it stays in the inbox."""
        world.receive([("gone", None)])
        assert world.index.known(["gone"]) == set()
        assert world.inbox.count() == 1


class TestCenters:
    def test_a_known_node_sends_for_its_center(self, world: World):
        know(world, "AARHUS", "TPS", "192.0.2.0/24")
        world.receive([("o", a_dose().parsed)])
        row = only(world, center)
        assert (row.code, row.quarantined) == ("AARHUS", False)
        assert only(world, patient).center_id == row.id
        assert only(world, sender).node_id == only(world, node).id

    @pytest.mark.parametrize(
        ("aet", "network", "may_store"),
        [
            ("OTHER", "192.0.2.0/24", True),
            ("TPS", "198.51.100.0/24", True),
            ("TPS", "192.0.2.7", False),
        ],
        ids=["other title", "other network", "may not store"],
    )
    def test_an_unknown_sender_gets_a_quarantined_center(self, world, aet, network, may_store):
        """Data is kept and indexed like all other; only visibility waits."""
        know(world, "AARHUS", aet, network, may_store=may_store)
        world.receive([("o", a_dose().parsed)])
        (row,) = world.database.rows(sa.select(center).where(center.c.quarantined))
        assert row.code == "?TPS@192.0.2.7"
        assert only(world, patient).center_id == row.id
        assert assembled(world) == ["1"]

    def test_an_importer_imports_for_the_center_that_it_names(self, world: World):
        """The name stands in the place of the AE title; the address is none of the network."""
        know(world, "AARHUS", "TPS", "192.0.2.0/24")
        brought = an_arrival("o", aet="AARHUS", address="import:ana@desk")
        world.receive_all([(brought, a_dose().parsed)])
        (owner,) = world.database.rows(sa.select(center).where(center.c.code == "AARHUS"))
        assert only(world, patient).center_id == owner.id

    def test_an_importer_of_a_center_that_is_gone_waits_in_quarantine(self, world: World):
        """As any sender that nobody vouches for; no center is made silently."""
        brought = an_arrival("o", aet="GONE", address="import:ana@desk")
        world.receive_all([(brought, a_dose().parsed)])
        assert only(world, center).quarantined

    def test_a_dicom_sender_is_no_importer_whatever_its_title(self, world: World):
        """An association has an IP address."""
        know(world, "AARHUS", "TPS", "192.0.2.0/24")
        world.receive([("o", a_dose().parsed)], aet="AARHUS")
        (waiting,) = world.database.rows(sa.select(center).where(center.c.quarantined))
        assert only(world, patient).center_id == waiting.id

    def test_one_number_at_two_centers_is_two_patients(self, world: World):
        """A7: deleting the one leaves the other."""
        know(world, "AARHUS", "TPS", "192.0.2.7")
        world.receive([("a", a_dose().parsed)])
        world.receive([("b", a_dose().parsed)], aet="OTHER")
        assert world.database.count(patient) == 2
        world.delete(["b"])
        assert world.database.count(patient) == 1
        assert world.index.known(["a"]) == {"a"}

    def test_people_without_a_number_are_kept_apart(self, world: World):
        """A6: each study of each sender is a patient of its own."""
        one = of_patient(a_dose().parsed, patient_id="")
        two = replace(one, study=replace(one.study, study_uid="1.2.3.99"))
        world.receive([("a", one), ("b", two)])
        world.receive([("c", one)], aet="PACS")
        rows = world.database.rows(sa.select(patient))
        assert len({row.provisional_key for row in rows}) == 3
        assert all(row.patient_id == "" and row.provisional_key for row in rows)


class TestTexts:
    NAMES = ("", "Müller^J", "MÜLLER^JÖRG", "MULLER^JORG")

    @pytest.mark.parametrize("order", [NAMES, NAMES[::-1], NAMES[2:] + NAMES[:2]])
    def test_the_richest_text_wins_in_any_order(self, world: World, order):
        """The longest; of equals the lexicographically first. Folded for search."""
        for number, name in enumerate(order):
            world.receive([(f"{number}", of_patient(a_dose().parsed, name=name))])
        assert only(world, patient).name == "MULLER^JORG"
        assert only(world, patient).name_folded == "muller jorg"

    def test_later_objects_fill_what_is_empty(self, world: World):
        parsed = a_dose().parsed
        world.receive([("a", parsed)])
        filled = replace(
            parsed,
            patient=replace(parsed.patient, birth_date="1950-01-02"),
            study=replace(parsed.study, description="Thorax"),
            series=replace(parsed.series, manufacturer="Maker", number=3),
        )
        world.receive([("b", filled)])
        world.receive([("c", parsed)])
        assert only(world, patient).birth_date == "1950-01-02"
        assert only(world, study).description == "Thorax"
        assert (only(world, series).manufacturer, only(world, series).number) == ("Maker", 3)

    def test_times_of_receipt_span_all_objects(self, world: World):
        for key, hours in (("a", 2), ("b", 0), ("c", 1)):
            world.receive([(key, a_dose().parsed)], received_at=START + timedelta(hours=hours))
        row = only(world, patient)
        assert row.first_received == START
        assert row.last_received == START + timedelta(hours=2)


class TestAssemblyRequests:
    def test_a_batch_asks_once_per_patient_and_names_nobody(self, world: World):
        """The label is for pages and logs: counts, no names."""
        world.receive([(f"{n}", item.parsed) for n, item in enumerate(a_series([0, 3, 6]))])
        row = only(world, job)
        assert (row.kind, row.want) == (JobKind.ASSEMBLE, 1)
        assert row.label == "Assemble 3 new objects"

    @pytest.mark.parametrize("plan_first", [True, False])
    def test_who_refers_to_an_object_is_assembled_with_it(self, world: World, plan_first):
        """A plan filed under another number: whichever comes last, both patients are judged."""
        plan = ("plan", of_patient(a_plan().parsed, patient_id="A"))
        structures = ("rs", of_patient(a_structure_set().parsed, patient_id="B"))
        first, last = (plan, structures) if plan_first else (structures, plan)
        world.receive([first])
        forget_jobs(world)
        world.receive([last])
        assert sorted(assembled(world)) == ["A", "B"]

    @pytest.mark.parametrize(
        ("kind", "target"),
        [
            (ReferenceKind.STRUCTURE_SET_TO_SERIES, "1.2.3.1.1"),
            (ReferenceKind.REGISTRATION_TO_FRAME, "1.2.3.9"),
        ],
    )
    @pytest.mark.parametrize("image_first", [True, False])
    def test_series_and_frames_link_patients_too(self, world, kind, target, image_first):
        """Structure sets name series, registrations frames of reference."""
        (image,) = a_series([0.0])
        naming = replace(
            a_plan(structure_sets=()).parsed,
            references=(Reference(kind=kind, target_uid=target),),
        )
        objects = [
            ("image", of_patient(image.parsed, patient_id="A")),
            ("naming", of_patient(naming, patient_id="B")),
        ]
        for item in objects if image_first else objects[::-1]:
            forget_jobs(world)
            world.receive([item])
        assert sorted(assembled(world)) == ["A", "B"]

    def test_other_centers_are_not_linked(self, world: World):
        """Equal UIDs elsewhere are other people's data."""
        world.receive([("plan", of_patient(a_plan().parsed, patient_id="A"))])
        forget_jobs(world)
        world.receive(
            [("rs", of_patient(a_structure_set().parsed, patient_id="B"))], aet="ELSEWHERE"
        )
        assert assembled(world) == ["B"]


class TestForget:
    def test_what_is_empty_goes_too(self, world: World):
        """Series, study and patient of the last object, with every row that hangs on them."""
        world.receive([("o", a_dose().parsed)])
        world.delete(["o"])
        for table in (dicom_object, reference, arrival, series, study, patient, inbox, job):
            assert world.database.count(table) == 0

    def test_the_rest_is_judged_anew(self, world: World):
        """The patient stays while an object is left."""
        world.receive([("rs", a_structure_set().parsed), ("plan", a_plan().parsed)])
        forget_jobs(world)
        world.delete(["plan"])
        assert world.index.known(["rs", "plan"]) == {"rs"}
        assert assembled(world) == ["1"]

    def test_who_referred_to_it_is_judged_anew(self, world: World):
        world.receive(
            [
                ("plan", of_patient(a_plan().parsed, patient_id="A")),
                ("rs", of_patient(a_structure_set().parsed, patient_id="B")),
            ]
        )
        forget_jobs(world)
        world.delete(["rs"])
        assert assembled(world) == ["A"]

    def test_an_unknown_object_is_only_taken_from_the_inbox(self, world: World):
        world.delete(["never seen"])
        assert world.inbox.count() == 0
        assert world.database.count(job) == 0

    def test_an_unreadable_object_can_be_forgotten(self, world: World):
        world.receive([("o", None)], error=UNREADABLE)
        world.delete(["o"])
        assert world.database.count(dicom_object) == 0

    def test_a_late_worker_removes_nothing(self, world: World):
        world.receive([("o", a_dose().parsed)])
        world.inbox.add([an_arrival("o", deleted=True)])
        late = world.inbox.claim(1)
        world.database.pass_time(3600)
        world.inbox.claim(1)
        world.index.forget(late, [an_arrival("o")])
        assert world.index.known(["o"]) == {"o"}
        assert world.inbox.count() == 1

    def test_what_came_back_is_read_anew(self, world: World):
        """Deleted and sent again: old rows go and a new arrival waits, in one transaction."""
        world.receive([("o", a_dose().parsed)])
        world.inbox.add([an_arrival("o", deleted=True)])
        world.index.forget(world.inbox.claim(1), [an_arrival("o")])
        assert world.index.known(["o"]) == set()
        (item,) = world.inbox.claim(10)
        assert item.arrival == an_arrival("o")
