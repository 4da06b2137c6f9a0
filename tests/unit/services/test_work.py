"""What the jobs do."""

from dataclasses import replace

import pytest

from rtpacs.dosimetry import ALGORITHM_VERSION, RoiStatus
from rtpacs.errors import (
    ArchiveUnavailableError,
    LimitExceededError,
    NotFoundError,
    ReaderKilledError,
)
from rtpacs.rules.jobs import TRANSFERS, JobKind
from rtpacs.services.contents import Contents
from rtpacs.services.ports import CalculationInput, Claim
from rtpacs.services.reconcile import Belonging, Reconciler
from rtpacs.services.versions import Settlement
from rtpacs.services.work import READER_ATTEMPTS, Work
from tests.builders import a_dose, a_structure_set, to_bytes
from tests.unit.rules.builders import an_rt_set
from tests.unit.services.fakes import (
    NOON,
    FixedClock,
    MemoryArchive,
    MemoryFeed,
    MemoryFiles,
    MemoryInbox,
    MemoryIndex,
    MemoryOwnership,
    PlainReader,
)

INPUTS = CalculationInput(
    pair_key="pair",
    structure_set="rs",
    doses=("rd",),
    dose_units="GY",
    slice_spacing_mm=3.0,
    input_hash="hash",
    input_uids=("1.1", "1.2"),
    prescribed_gy=None,
    fractions_planned=None,
    target_numbers=(2,),
)


class NothingToSettle:
    def unsettled(self, patient_key):
        return []

    def judge(self, patient_key):
        pass


class NothingToShow:
    def __init__(self):
        self.asked = []

    def ask_for_new(self, patient_key):
        self.asked.append(patient_key)

    def run(self, claim, progress):
        pass

    def sweep(self):
        self.asked.append("sweep")


class MemoryCalculations:
    def __init__(self, inputs=INPUTS):
        self.inputs = inputs
        self.saved = []

    def input_for(self, pair_key):
        return self.inputs

    def save(self, inputs, result, claim):
        self.saved.append(result)


class MemoryAssemblies:
    def __init__(self, objects):
        self._objects = objects
        self.saved = []

    def objects(self, patient_key):
        return self._objects

    def decisions(self, patient_key):
        return ()

    def save(self, patient_key, assembly, claim):
        self.saved.append((patient_key, assembly))


def some_work(calculations=None, objects=(), **files):
    archive = MemoryArchive(
        **{"rs": to_bytes(a_structure_set()), "rd": to_bytes(a_dose()), **files}
    )
    inbox = MemoryInbox()
    index = MemoryIndex(inbox)
    contents = Contents(originals=archive, files=MemoryFiles())
    return Work(
        assemblies=MemoryAssemblies(objects),
        calculations=calculations or MemoryCalculations(),
        contents=contents,
        settlement=Settlement(
            settlements=NothingToSettle(), contents=contents, reader=PlainReader()
        ),
        reader=PlainReader(),
        reconciler=Reconciler(
            archive=archive,
            index=index,
            inbox=inbox,
            feed=MemoryFeed(index, inbox),
            archive_name="here",
            belonging=Belonging(identify=lambda: "one", ownership=MemoryOwnership()),
            clock=FixedClock(),
            reader_version=1,
            recall=lambda orthanc_ids: None,
            erase_again=lambda progress: 0,
            recover=lambda progress: 0,
            note_owners_again=lambda: None,
        ),
        packing=NothingToShow(),
        remove=lambda claim, progress: None,
        clock=FixedClock(),
    )


def run(work, kind, key="7", *, attempt=1):
    claim = Claim(job_id=1, token=1, kind=kind, key=key, attempt=attempt)
    work.handlers()[kind](claim, lambda done, total: None)


def test_every_kind_of_job_has_a_handler():
    """A kind without one would fail only when claimed; transfers have their own workers."""
    assert set(some_work().handlers()) == set(JobKind) - TRANSFERS


def test_assembling_stores_what_the_rules_make_of_all_objects():
    """The complete chain gives one plan set with its pair."""
    objects = an_rt_set()
    work = some_work(objects=objects)
    run(work, JobKind.ASSEMBLE, key=str(objects[0].patient_key))
    ((patient_key, assembly),) = work.assemblies.saved

    assert patient_key == objects[0].patient_key
    assert len(assembly.plan_sets) == 1
    assert work.packing.asked == [patient_key]
    assert len(assembly.pairs) == 1


def test_a_calculation_is_stored_with_its_provenance():
    """Algorithm, version and time stand beside the curves."""
    work = some_work()
    run(work, JobKind.DVH)
    (result,) = work.calculations.saved

    assert [dvh.status for dvh in result.dvhs] == [RoiStatus.CALCULATED] * 2
    assert (result.algorithm, result.calculated_at) == (ALGORITHM_VERSION, NOON)
    assert result.findings == ()


class FileReader(PlainReader):
    """Reads files where they lie, as the child does; notes what it was given."""

    def __init__(self):
        self.given = []

    def calculate(self, structure_set, doses, slice_spacing_mm, progress=None):
        self.given.append([type(source) for source in (structure_set, *doses)])
        data = [self._bytes(source) for source in (structure_set, *doses)]
        return super().calculate(data[0], data[1:], slice_spacing_mm, progress)

    def _bytes(self, source):
        if isinstance(source, bytes):
            return source
        if not source.exists():
            raise NotFoundError("the file left meanwhile")
        return source.read_bytes()


def test_files_on_this_machine_are_calculated_where_they_lie(tmp_path):
    """The structure set lies here, the dose comes from the archive."""
    work = replace(some_work(), reader=FileReader())
    path = tmp_path / "rs"
    path.write_bytes(to_bytes(a_structure_set()))
    work.contents.originals.paths["rs"] = path
    work.contents.originals.files["rs"] = b"not asked for"
    run(work, JobKind.DVH)

    assert work.reader.given == [[type(path), bytes]]
    assert len(work.calculations.saved[0].dvhs) == 2


def test_a_file_that_left_since_it_was_located_is_asked_for(tmp_path):
    """The archive holds the object under another name now."""
    work = replace(some_work(), reader=FileReader())
    work.contents.originals.paths["rd"] = tmp_path / "gone"
    run(work, JobKind.DVH)

    assert work.reader.given == [[bytes, type(tmp_path)], [bytes, bytes]]
    assert len(work.calculations.saved[0].dvhs) == 2


def test_an_unusable_dose_is_a_finding_and_no_failed_job():
    """The job ends, the reason is stored with the pair."""
    work = some_work(rd=to_bytes(a_dose())[:-20])
    run(work, JobKind.DVH)
    (result,) = work.calculations.saved

    assert result.dvhs == ()
    assert [finding.code for finding in result.findings] == ["not-calculated"]


@pytest.mark.parametrize("step", ["input_for", "save"])
def test_a_pair_that_is_gone_ends_its_job_quietly(step):
    """Deleted before or while it was calculated: a failed job would stay for ever."""

    class Gone(MemoryCalculations):
        pass

    def refuse(self, *arguments):
        raise NotFoundError("there is no pair")

    setattr(Gone, step, refuse)
    work = some_work(Gone())
    run(work, JobKind.DVH)

    assert work.calculations.saved == []


def test_while_orthanc_is_away_the_job_is_retried():
    """Nothing is stored; the worker sees an error worth a retry."""
    work = some_work()
    work.contents.originals.away = True
    with pytest.raises(ArchiveUnavailableError):
        run(work, JobKind.DVH)

    assert work.calculations.saved == []


class Killed(PlainReader):
    """A reader whose child does not survive."""

    def calculate(self, structure_set, doses, slice_spacing_mm, progress=None):
        raise ReaderKilledError("reading stopped abruptly (SIGKILL)")


@pytest.mark.parametrize("attempt", range(1, READER_ATTEMPTS))
def test_a_killed_calculation_is_tried_again(attempt):
    """The machine was short of memory for a moment: nothing is stored, the earlier result stays."""
    work = replace(some_work(), reader=Killed())
    with pytest.raises(ReaderKilledError):
        run(work, JobKind.DVH, attempt=attempt)

    assert ReaderKilledError.retryable
    assert work.calculations.saved == []


def test_a_calculation_killed_in_every_attempt_fails_with_the_reason():
    """Not retryable any more; what was calculated before is not overwritten by nothing."""
    work = replace(some_work(), reader=Killed())
    with pytest.raises(LimitExceededError, match=r"SIGKILL.*3 attempts") as raised:
        run(work, JobKind.DVH, attempt=READER_ATTEMPTS)

    assert not raised.value.retryable
    assert work.calculations.saved == []


@pytest.mark.parametrize(("fractions", "flagged"), [(10, False), (1, False), (None, False)])
def test_a_dose_near_its_prescription_is_not_flagged(fractions, flagged):
    """PTV's median is about 2 Gy here: near the prescription of 2.2 Gy."""
    inputs = replace(INPUTS, prescribed_gy=2.2, fractions_planned=fractions)
    work = some_work(MemoryCalculations(inputs))
    run(work, JobKind.DVH)

    assert bool(work.calculations.saved[0].findings) is flagged


def test_a_dose_per_fraction_is_flagged():
    """The target's median of about 2 Gy is nearer 60/30 than 60."""
    inputs = replace(INPUTS, prescribed_gy=60.0, fractions_planned=30)
    work = some_work(MemoryCalculations(inputs))
    run(work, JobKind.DVH)

    assert len(work.calculations.saved[0].findings) == 1


def test_a_relative_dose_is_never_compared_with_a_prescription():
    """Percent are no Gy."""
    inputs = replace(INPUTS, prescribed_gy=60.0, fractions_planned=30, dose_units="RELATIVE")
    work = some_work(MemoryCalculations(inputs))
    run(work, JobKind.DVH)

    assert work.calculations.saved[0].findings == ()


def test_reconciling_compares_both_sides():
    """Two files of the archive are not in the index."""
    work = some_work()
    run(work, JobKind.RECONCILE, key="all")

    assert work.reconciler.inbox.count() == 2
    assert work.packing.asked == ["sweep"]
