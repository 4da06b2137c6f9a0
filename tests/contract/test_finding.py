"""Searches of DICOM and what Orthanc may give, on both engines."""

import copy
from dataclasses import replace

import pytest

from rtpacs.rules.access import EVERYTHING, NOTHING, Reach, Scope
from rtpacs.rules.queries import Search, search_by_parameters
from rtpacs.rules.routes import Asked, Level
from rtpacs.services.guard import REFUSED, Release
from rtpacs.store.finding import SqlFinder, movable_objects
from rtpacs.store.releases import SqlReleases
from rtpacs.store.variants import SqlVariants
from tests.builders import a_photon_plan
from tests.contract.filling import Filling, Sender, a_person
from tests.contract.hospitals import Hospitals, orthanc_id
from tests.unit.rules.builders import a_series, an_rt_set

MUELLER = a_person("010203-0405", "Müller^Jörg Søren")
NAMESAKE = a_person("010203-0405", "Other^Person")
SOUTH_SENDER = Sender(aet="SOUTH", address="192.0.2.9")
NORTH, SOUTH = Scope(own=frozenset({"AARHUS"})), Scope(own=frozenset({"SOUTH"}))
BOTH = Scope(own=NORTH.own | SOUTH.own)


@pytest.fixture
def filling(database) -> Filling:
    """A set of AARHUS, and images of another person of the same number at SOUTH."""
    filling = Filling(database)
    filling.know()
    filling.know("SOUTH", SOUTH_SENDER)
    filling.send(an_rt_set(), patient=MUELLER)
    filling.send(a_series([0.0, 3.0]), patient=NAMESAKE, sender=SOUTH_SENDER)
    return filling


def found(filling, scope, level, **keys):
    search, _ = search_by_parameters(level, keys.items(), fixed={})
    return SqlFinder(filling.database.engine, scope).find(search)


def test_counts_are_of_what_is_seen(filling):
    """Eight objects in four series here, two images there; together both are two studies."""
    (mine,) = found(filling, NORTH, Level.STUDY)
    assert mine.values["NumberOfStudyRelatedInstances"] == 8
    assert mine.values["NumberOfStudyRelatedSeries"] == 4
    assert mine.values["ModalitiesInStudy"] == ("CT", "RTDOSE", "RTPLAN", "RTSTRUCT")
    (theirs,) = found(filling, SOUTH, Level.STUDY)
    assert theirs.values["NumberOfStudyRelatedInstances"] == 2
    assert len(found(filling, NORTH, Level.SERIES)) == 4
    assert len(found(filling, SOUTH, Level.INSTANCE)) == 2
    assert found(filling, NOTHING, Level.INSTANCE) == []


def test_two_people_of_one_number_stay_two_patients(filling):
    """Whoever sees both hospitals sees both."""
    patients = found(filling, BOTH, Level.PATIENT, PatientID=MUELLER.patient_id)
    assert {one.values["PatientName"] for one in patients} == {MUELLER.name, NAMESAKE.name}


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("Müller^Jörg Søren", True),
        ("muller^jorg søren", True),
        ("MULLER*", True),
        ("*jorg*", True),
        ("M?ller*", True),
        ("muller", False),
        ("mu%", False),
    ],
)
def test_names_fit_without_case_and_accents(filling, name, fits):
    """A wildcard is what DICOM calls one, and nothing of SQL's."""
    assert bool(found(filling, NORTH, Level.STUDY, PatientName=name)) == fits


def test_wildcards_leave_letter_case_aside_on_both_engines(filling):
    """``_`` and ``%`` are letters."""
    modality = found(filling, NORTH, Level.SERIES, Modality="rt*")
    assert len(modality) == 3
    assert found(filling, NORTH, Level.SERIES, Modality="RT%") == []
    assert found(filling, NORTH, Level.SERIES, Modality="R_PLAN") == []
    assert len(found(filling, NORTH, Level.SERIES, Modality="RT?LAN")) == 1


def test_pages_follow_each_other(filling):
    """In one order, none twice."""
    finder = SqlFinder(filling.database.engine, NORTH)
    whole = finder.find(Search(level=Level.INSTANCE))
    pages = [
        one
        for offset in range(0, 8, 3)
        for one in finder.find(Search(level=Level.INSTANCE, offset=offset, limit=3))
    ]
    assert pages == whole
    assert len({one.orthanc_id for one in whole}) == 8


def ids(filling, scope):
    return [one.orthanc_id for one in found(filling, scope, Level.INSTANCE)]


def test_a_series_is_released_as_its_scopes_say(filling):
    """Looking and taking away apart; what is not in sight, or not there, is refused."""
    releases = SqlReleases(filling.database.engine)
    image = ids(filling, SOUTH)[0]
    reach = Reach(info=BOTH, send=NORTH)
    assert releases.beside(image, reach) == {
        one: Release(info={"SOUTH": one}, send={}) for one in ids(filling, SOUTH)
    }
    own = releases.beside(ids(filling, NORTH)[0], reach)
    assert own == {one: Release(info={"AARHUS": one}, send={"AARHUS": one}) for one in own}
    assert releases.beside(image, Reach(info=NORTH, send=NORTH)) == {}
    assert releases.beside("not there", reach) == {}


def test_a_whole_is_released_when_all_of_it_is(filling):
    """One foreign or unknown object closes it; an object of each center stands for its patients."""
    releases = SqlReleases(filling.database.engine)
    mine, theirs = ids(filling, NORTH), ids(filling, SOUTH)
    reach = Reach(info=NORTH, send=NORTH)
    own = {"AARHUS": mine[0]}
    assert releases.all_of(mine, reach) == Release(info=own, send=own)
    assert releases.all_of([*mine, theirs[0]], reach) == REFUSED
    assert releases.all_of([*mine, "not indexed"], reach) == REFUSED
    both = {"AARHUS": mine[0], "SOUTH": theirs[0]}
    reach = Reach(info=EVERYTHING, send=NORTH)
    assert releases.all_of([*mine, *theirs], reach) == Release(info=both, send={})


@pytest.mark.parametrize(
    ("level", "keyword"), [(Level.STUDY, "StudyInstanceUID"), (Level.SERIES, "SeriesInstanceUID")]
)
def test_of_a_study_or_series_something_is_seen_or_nothing(filling, level, keyword):
    """By its UID; another center's is as if it were not there."""
    releases = SqlReleases(filling.database.engine)
    uid = found(filling, NORTH, level)[0].values[keyword]
    assert releases.sees(level, uid, Reach(info=NORTH))
    assert not releases.sees(level, uid, Reach(info=NOTHING, send=NORTH))
    assert not releases.sees(level, "1.9.9", Reach(info=BOTH))


def test_what_moves_is_in_both_scopes(filling):
    """The caller's and the receiver's."""
    engine = filling.database.engine
    for scopes, count in (([NORTH, BOTH], 8), ([NORTH, SOUTH], 0), ([BOTH, BOTH], 10)):
        assert len(movable_objects(engine, scopes, (), 100)) == count
    assert len(movable_objects(engine, [BOTH, BOTH], (), 4)) == 4


def test_a_variant_is_its_centers_and_not_orthancs(database):
    """NORTH came first, SOUTH sent other names: Orthanc's bytes are NORTH's, ours are SOUTH's."""
    hospitals, first = Hospitals(database), a_photon_plan()
    second = copy.deepcopy(first)
    second.PatientName = "South^Variant"
    hospitals.send("NORTH", first)
    hospitals.work()
    hospitals.send("SOUTH", second)
    hospitals.work()
    identifier = orthanc_id(first)
    asked = Asked(level=Level.INSTANCE, sends=True, identifier=identifier, is_uid=False)
    for code, ours in (("NORTH", False), ("SOUTH", True)):
        scope = Scope(own=frozenset({code}))
        reach = Reach(info=scope, send=scope)
        released = SqlReleases(database.engine).beside(identifier, reach)
        assert (identifier in released) != ours
        name = SqlVariants(database.engine, reach).named(asked)
        assert (name is not None) == ours
        by_uid = replace(asked, identifier=str(first.SOPInstanceUID), is_uid=True)
        assert SqlVariants(database.engine, reach).named(by_uid) == name
        study = Asked(level=Level.STUDY, sends=True, identifier=first.StudyInstanceUID, is_uid=True)
        assert SqlVariants(database.engine, reach).are_in(study) == ours
