"""Random histories of two centers, held against what the rules say of such a history.

The model knows only who sent which content of what, in which order, what was deleted, withdrawn
and decided. Everything that the index shows must follow from that.
"""

import copy
from collections.abc import Callable

import hypothesis.strategies as st
import sqlalchemy as sa
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rtpacs.dicom.content import digest
from rtpacs.rules.jobs import JobState
from rtpacs.services.contents import content_name
from rtpacs.store.schema import job, version
from tests.builders import a_photon_plan, a_structure_set, to_bytes
from tests.contract.databases import Database
from tests.contract.hospitals import ADDRESSES, Hospitals, orthanc_id

OBJECTS = {"structure set": a_structure_set(), "plan": a_photon_plan()}
LABELS = {"structure set": "StructureSetLabel", "plan": "RTPlanLabel"}
CENTERS = st.sampled_from(sorted(ADDRESSES))
NAMES = st.sampled_from(sorted(OBJECTS))
CONTENTS = st.integers(0, 2)


def content_of(center: str, name: str, number: int):
    """One of three contents of an object, with the center's own name of the patient."""
    dataset = copy.deepcopy(OBJECTS[name])
    setattr(dataset, LABELS[name], f"Content {number}")
    dataset.PatientName = f"{center}^Patient"
    return dataset


BYTES = {
    (center, name, number): to_bytes(content_of(center, name, number))
    for center in ADDRESSES
    for name in OBJECTS
    for number in range(3)
}
DIGESTS = {key: digest(data).whole for key, data in BYTES.items()}


class Histories(RuleBasedStateMachine):
    """Two centers send, change, delete, withdraw, decide and restart."""

    new_database: Callable[[], Database]

    @initialize()
    def begin(self) -> None:
        self.hospitals = Hospitals(type(self).new_database())
        self.step = 0
        self.held: set[str] = set()
        self.sent: dict[tuple[str, str], dict[int, int]] = {}
        self.made: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
        self.crashed = []

    @rule(center=CENTERS, name=NAMES, numbers=st.lists(CONTENTS, min_size=1, max_size=3))
    def send(self, center, name, numbers):
        """One or several contents in a row, before the worker looks."""
        for number in numbers:
            self.step += 1
            self.hospitals.send(center, content_of(center, name, number))
            self.sent.setdefault((center, name), {}).setdefault(number, self.step)
        self.held.add(name)
        self.crashed = list(self.hospitals.spool.repeats.values())
        self.hospitals.work()

    @precondition(lambda self: self.crashed)
    @rule()
    def crash_after_recording(self):
        """The worker died before it cleared the spool: the same repeats are found again."""
        held = [item for item in self.crashed if self._is_owned(item)]
        for item in held:
            self.hospitals.spool.add(item)
        self.hospitals.restart()
        self.hospitals.work()

    def _is_owned(self, item) -> bool:
        names = {orthanc_id(dataset): name for name, dataset in OBJECTS.items()}
        return (item.arrival.aet, names[item.arrival.orthanc_id]) in self.sent

    @precondition(lambda self: self.held)
    @rule(name=NAMES)
    def delete(self, name):
        """Somebody deletes in Orthanc: the object goes for all."""
        self.hospitals.delete(orthanc_id(OBJECTS[name]))
        self.held.discard(name)
        for center in ADDRESSES:
            self.sent.pop((center, name), None)
        self.crashed = []
        self.hospitals.work()

    @rule(center=CENTERS, name=NAMES)
    def withdraw(self, center, name):
        """One owner takes its copy back."""
        if (center, name) not in self.sent:
            return
        self.hospitals.withdraw(center, OBJECTS[name])
        del self.sent[center, name]
        if not any((other, name) in self.sent for other in ADDRESSES):
            self.held.discard(name)
        self.crashed = []
        self.hospitals.work()

    @rule(center=CENTERS, name=NAMES, number=CONTENTS)
    def choose(self, center, name, number):
        """A person decides between contents that are here."""
        if number not in self.sent.get((center, name), {}):
            return
        self.step += 1
        key = DIGESTS[center, name, number]
        decision = self.hospitals.choose(center, OBJECTS[name], key)
        self.made.setdefault((center, name), []).append((number, self.step, decision))
        self.hospitals.work()

    @rule(center=CENTERS, name=NAMES)
    def undo(self, center, name):
        """The newest decision is taken back; the one before counts again."""
        if self.made.get((center, name)):
            *_, decision = self.made[center, name].pop()
            self.hospitals.decisions.undo(decision, author="B", reason="no")
            self.hospitals.work()

    @rule()
    def restart(self):
        """New processes on the same data."""
        self.hospitals.restart()
        self.hospitals.work()

    def _counting(self, center: str, name: str) -> int:
        contents = self.sent[center, name]
        made = self.made.get((center, name), [])
        if made and made[-1][0] in contents:
            return made[-1][0]
        return min(contents, key=lambda number: contents[number])

    def _is_open(self, center: str, name: str) -> bool:
        contents = self.sent[center, name]
        made = self.made.get((center, name), [])
        settled = made and made[-1][0] in contents and made[-1][1] >= max(contents.values())
        return len(contents) > 1 and not settled

    @invariant()
    def each_center_owns_what_it_sent(self):
        """One row per owner, and the archive's ids are the index's."""
        for name, dataset in OBJECTS.items():
            owners = {center for center in ADDRESSES if (center, name) in self.sent}
            assert set(self.hospitals.rows(dataset)) == owners
        held = sorted(orthanc_id(OBJECTS[name]) for name in self.held)
        assert list(self.hospitals.world.index.orthanc_ids()) == held
        assert sorted(self.hospitals.archive.files) == held

    @invariant()
    def each_center_sees_what_counts_for_it(self):
        """Its decided content, else its first; never another center's."""
        for center, name in self.sent:
            expected = BYTES[center, name, self._counting(center, name)]
            assert self.hospitals.seen(center, OBJECTS[name]) == expected
            row = self.hospitals.rows(OBJECTS[name])[center]
            assert row.content["label"] == f"Content {self._counting(center, name)}"

    @invariant()
    def every_content_is_kept(self):
        """In the order of sending; an object that came once has none, or the one."""
        for (center, name), contents in self.sent.items():
            ordered = sorted(contents, key=lambda number: contents[number])
            found = self.hospitals.versions_of(center, OBJECTS[name])
            if found or len(contents) > 1:
                assert found == [DIGESTS[center, name, number] for number in ordered]

    @invariant()
    def every_version_is_readable(self):
        """Also those that a deletion left behind."""
        rows = self.hospitals.database.rows(sa.select(version))
        for row in rows:
            file = None if row.in_archive else row.file
            data = self.hospitals.contents.read(content_name(row.orthanc_id, file))
            assert digest(data).whole == row.digest

    @invariant()
    def conflicts_are_open_until_decided(self):
        """On the object and on the plan set."""
        for center, name in self.sent:
            is_told = "conflict" in self.hospitals.codes(center, OBJECTS[name])
            assert is_told == self._is_open(center, name)
        for center in ADDRESSES:
            owned = [name for name in OBJECTS if (center, name) in self.sent]
            is_open = any(self._is_open(center, name) for name in owned)
            states = self.hospitals.states(center)
            assert len(states) == ("plan" in owned)
            if states:
                assert (states == ["ambiguous"]) == is_open

    @invariant()
    def nothing_is_stuck(self):
        """Spool and inbox are empty, no job failed."""
        assert self.hospitals.spool.waiting() == []
        assert self.hospitals.world.inbox.count() == 0
        settled = sa.select(job.c.id).where(
            job.c.state.in_([JobState.FAILED, JobState.RUNNING]) | job.c.error.is_not(None)
        )
        assert self.hospitals.database.rows(settled) == []
