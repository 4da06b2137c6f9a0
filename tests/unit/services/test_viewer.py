"""Packs of the viewer: the right value at the right place, and what is refused."""

import gzip
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rtpacs.dicom import summarise
from rtpacs.errors import NotFoundError, ReaderKilledError
from rtpacs.rules.jobs import JobKind
from rtpacs.rules.registered import AcceptedRegistration
from rtpacs.services import viewer_pack
from rtpacs.services.contents import Contents, Located
from rtpacs.services.ports import Claim
from rtpacs.services.viewer import Subject, SubjectKind
from rtpacs.services.viewer_pack import build_pack
from rtpacs.services.viewer_packing import Packing, Source, ViewerDesk
from tests.builders import (
    FRAME_UID,
    OTHER_FRAME_UID,
    a_registration,
    a_structure_set,
    to_bytes,
)
from tests.builders.phantom import ORIENTATIONS, a_phantom, dose_gy, image_value
from tests.unit.services.fakes import MemoryArchive, MemoryFiles, PlainReader
from tests.unit.services.viewing import SUBJECT, a_pack, inputs_of, pack_of

SHIFT = (10.0, -5.0, 2.5)  # of the other frame, in ``a_registration``


def placed(pack, name: str, meta: dict, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Values of a file and the place of each, shapes (n,) and (n, 3)."""
    axes = [np.array(meta[axis]) for axis in ("x_mm", "y_mm", "z_mm")]
    z, y, x = np.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    values = np.frombuffer(gzip.decompress(pack.files[name]), dtype=kind)
    return values, np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)


def image_of(pack) -> tuple[np.ndarray, np.ndarray]:
    """All values of the images in units, and their places."""
    meta = pack.meta["image"]
    stored = b"".join(gzip.decompress(pack.files[name]) for _, _, name in meta["chunks"])
    values = np.frombuffer(stored, dtype=meta["kind"]) * meta["slope"] + meta["intercept"]
    axes = [np.array(meta[axis]) for axis in ("z_mm", "y_mm", "x_mm")]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return values, np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)


@pytest.mark.parametrize("position", ORIENTATIONS)
def test_every_voxel_lies_where_it_was_in_the_patient(position):
    """The phantom's values are functions of the place: each voxel proves its own."""
    images, structures, dose = a_phantom(position)
    pack = a_pack(images, structures, [dose])
    values, places = image_of(pack)
    np.testing.assert_array_equal(values, image_value(places))

    (entry,) = pack.meta["doses"]
    voxels, at = placed(pack, entry["file"], entry, "<f4")
    np.testing.assert_allclose(voxels, dose_gy(at), atol=2e-6 * 60)
    assert all(np.diff(entry[axis]).min() > 0 for axis in ("x_mm", "y_mm", "z_mm"))
    assert (entry["resampled"], pack.meta["image"]["resampled"]) == (False, False)


def test_the_first_slice_is_that_of_the_target_and_comes_alone():
    """The ring spans z = 6 to 24 mm: its middle is slice 5."""
    images, structures, dose = a_phantom("HFS")
    pack = a_pack(images, structures, [dose])
    assert pack.meta["start_mm"] == pytest.approx([0, 0, 15])
    assert [5, 6, "image-5-6"] in pack.meta["image"]["chunks"]
    assert sum(high - low for low, high, _ in pack.meta["image"]["chunks"]) == len(images)


def test_slabs_reach_half_way_and_rings_stay_whole():
    """Contours every 3 mm: each slab is 3 mm thick; two rings on each plane, 8 points."""
    images, structures, dose = a_phantom("HFS")
    ring = a_pack(images, structures, [dose]).meta["rois"][0]
    assert [plane["at_mm"] for plane in ring["planes"]] == [6, 9, 12, 15, 18, 21, 24]
    assert {plane["high_mm"] - plane["low_mm"] for plane in ring["planes"]} == {3.0}
    assert all([count for _, count in plane["rings"]] == [4, 4] for plane in ring["planes"])
    assert (ring["axis"], ring["unmatched"], ring["lines"]) == (2, 0, [])


def test_contours_between_the_images_are_counted():
    """Without slices 2 to 4 the planes at 6, 9 and 12 mm have none within 1.5 mm."""
    images, structures, dose = a_phantom("HFS")
    rois = a_pack([*images[:2], *images[5:]], structures, [dose]).meta["rois"]
    assert [roi["unmatched"] for roi in rois] == [3, 3]


def test_a_dose_in_another_frame_of_reference_is_refused_with_the_reason():
    """Nothing of it is in the pack."""
    pack = a_pack(*a_phantom("HFS")[:2], [a_phantom("HFS")[2]], frame=OTHER_FRAME_UID)
    (entry,) = pack.meta["doses"]
    assert entry["refused"] == "it lies in another frame of reference"
    assert "file" not in entry
    assert not [name for name in pack.files if name.startswith("dose")]


def test_an_unstated_frame_is_shown_and_said():
    """Neither guessed silently nor refused: TPS of old leave it out."""
    images, structures, dose = a_phantom("HFS")
    (entry,) = a_pack(images, structures, [dose], frame=None).meta["doses"]
    assert entry["note"] == "its frame of reference is not stated"
    assert "file" in entry


def accepted() -> tuple[AcceptedRegistration, ...]:
    content = summarise(to_bytes(a_registration())).content
    frames = (FRAME_UID, OTHER_FRAME_UID)
    return (AcceptedRegistration(frames=frames, content=content, words="accepted by Ada"),)


def test_an_accepted_registration_moves_the_dose_into_the_frame_of_the_structures():
    """Its matrix maps the other frame into ours by (10, -5, 2.5) mm."""
    images, structures, dose = a_phantom("HFS")
    options = {"frame": OTHER_FRAME_UID, "registrations": accepted()}
    (moved,) = a_pack(images, structures, [dose], **options).meta["doses"]
    (still,) = a_pack(images, structures, [dose]).meta["doses"]
    for axis, shift in zip(("x_mm", "y_mm", "z_mm"), SHIFT, strict=True):
        assert np.array(moved[axis]) - np.array(still[axis]) == pytest.approx(shift)
    assert moved["note"] == "shown through a registration: accepted by Ada"


def test_the_way_back_is_the_inverse():
    """Structures in the other frame: images of ours move the opposite way, and it is said."""
    images, structures, dose = a_phantom("HFS")
    for roi in structures.StructureSetROISequence:
        roi.ReferencedFrameOfReferenceUID = OTHER_FRAME_UID
    options = {"frame": OTHER_FRAME_UID, "registrations": accepted()}
    meta = a_pack(images, structures, [dose], **options).meta
    still = a_pack(images, a_phantom("HFS")[1], [dose]).meta
    for axis, shift in zip(("x_mm", "y_mm", "z_mm"), SHIFT, strict=True):
        moved = np.array(meta["image"][axis]) - np.array(still["image"][axis])
        assert moved == pytest.approx(-shift)
    assert meta["notes"] == ["Images: shown through a registration: accepted by Ada."]


def test_the_plans_points_are_refused_across_frames():
    """Isocentres and fields lie in the frame of the plan: neither is shown elsewhere."""
    images, structures, dose = a_phantom("HFS")
    inputs, contents = inputs_of(images, structures, [dose])
    meta = pack_of(replace(inputs, plan_frame_uid=OTHER_FRAME_UID), contents).meta
    assert (meta["plan_refused"], meta["fields"]) == ("it lies in another frame of reference", [])
    assert pack_of(replace(inputs, plan_frame_uid=FRAME_UID), contents).meta["plan_refused"] == ""


def test_images_of_another_frame_are_refused():
    """Structures and dose are shown without them."""
    images, structures, dose = a_phantom("HFS")
    for roi in structures.StructureSetROISequence:
        roi.ReferencedFrameOfReferenceUID = OTHER_FRAME_UID
    meta = a_pack(images, structures, [dose], frame=OTHER_FRAME_UID).meta
    assert meta["image"] is None
    assert meta["notes"] == ["The images are not shown: it lies in another frame of reference."]
    assert "file" in meta["doses"][0]


def test_a_tilted_dose_is_resampled_and_says_so():
    """Turned by 45 degrees: values between those sent, the highest near the highest."""
    images, structures, dose = a_phantom("HFS")
    half = 0.5**0.5
    dose.ImageOrientationPatient = [1, 0, 0, 0, half, half]
    (entry,) = a_pack(images, structures, [dose]).meta["doses"]
    assert entry["resampled"]
    assert entry["max"] > 55


def test_two_parts_of_the_plan_dose_are_summed_first():
    """One and a half times the phantom's dose; both parts can be chosen as well."""
    images, structures, dose = a_phantom("HFS")
    pack = a_pack(images, structures, [dose, a_phantom("HFS", 0.5)[2]])
    whole, *parts = pack.meta["doses"]
    voxels, at = placed(pack, whole["file"], whole, "<f4")
    np.testing.assert_allclose(voxels, 1.5 * dose_gy(at), atol=1e-3)
    assert [entry["label"] for entry in parts] == ["RD0", "RD1"]
    assert whole["max"] == pytest.approx(1.5 * parts[0]["max"], rel=1e-5)


def test_what_cannot_be_read_is_named_and_the_rest_is_shown():
    """A damaged slice, a damaged dose, contours that are no positions."""
    images, structures, dose = a_phantom("HFS")
    structures.ROIContourSequence[1].ContourSequence[0].ContourData = ["1", "2"]
    inputs, contents = inputs_of(images, structures, [dose, dose])
    contents.originals.files["ct3"] = contents.originals.files["ct3"][:-99]
    contents.originals.files["rd1"] = b"nonsense"
    meta = pack_of(inputs, contents).meta
    assert len(meta["image"]["z_mm"]) == len(images) - 1
    assert meta["notes"][0].startswith("1 images are not shown: ")
    assert [bool(entry["refused"]) for entry in meta["doses"]] == [True, False, True]
    assert [bool(roi["refused"]) for roi in meta["rois"]] == [False, True]


def test_a_killed_reader_is_no_remark_but_worth_another_try():
    """Else a machine short of memory would keep half a pack."""

    class Dying(PlainReader):
        def image(self, data):
            raise ReaderKilledError("reading stopped abruptly")

    inputs, contents = inputs_of(*a_phantom("HFS")[:2], [])
    source = Source(
        located=Located(contents=contents), reader=Dying(), progress=lambda done, total: None
    )
    with pytest.raises(ReaderKilledError):
        build_pack(inputs, source)


@pytest.mark.parametrize(("x_mm", "expected"), [(9.0, 9.0), (500.0, 0.0)])
def test_a_highest_dose_outside_the_images_is_not_looked_at_first(x_mm, expected):
    """Where nothing but a corner of the dose is seen; then it is the middle of the images."""
    image = SimpleNamespace(axes_mm=(np.array([-10.0, 0.0, 10.0]),) * 3)
    doses = [{"max_at_mm": [x_mm, 0.0, 0.0]}]
    assert viewer_pack._start([], [], doses, image) == [expected, 0.0, 0.0]


def test_structures_alone_start_at_their_middle():
    """No images, no dose."""
    meta = a_pack([], a_structure_set(), []).meta
    assert meta["image"] is None
    assert meta["start_mm"] == pytest.approx([0, 0, 6], abs=1e-6)


def test_nothing_at_all_is_a_pack_too():
    """An empty page says so; the job does not fail."""
    meta = a_pack([], None, []).meta
    assert (meta["image"], meta["doses"], meta["rois"]) == (None, [], [])


class MemoryPacks:
    def __init__(self):
        self.kept = {}

    def has(self, subject, pack_id):
        return (str(subject), pack_id) in self.kept

    def keep(self, subject, pack_id, pack):
        self.kept[str(subject), pack_id] = pack

    def read(self, subject, pack_id, name):
        return self.kept[str(subject), pack_id].files[name]

    def subjects(self):
        return [Subject.parse(text) for text, _ in self.kept]

    def drop(self, subject):
        self.kept = {key: pack for key, pack in self.kept.items() if key[0] != str(subject)}


class OneInput:
    def __init__(self, inputs):
        self.inputs = inputs

    def input_for(self, subject):
        if self.inputs is None:
            raise NotFoundError("gone")
        return self.inputs

    def of_patient(self, patient_key):
        return [self.inputs.subject]


class Asked:
    def __init__(self):
        self.requests = []

    def enqueue(self, requests):
        self.requests += requests


def some_packing(inputs, contents=None, reader=None) -> Packing:
    empty = Contents(originals=MemoryArchive(), files=MemoryFiles())
    return Packing(
        inputs=OneInput(inputs),
        packs=MemoryPacks(),
        contents=contents or empty,
        reader=reader or PlainReader(),
        build=build_pack,
        jobs=Asked(),
    )


def run(packing: Packing) -> None:
    claim = Claim(job_id=1, token=1, kind=JobKind.VIEWER, key=str(SUBJECT), attempt=1)
    packing.run(claim, lambda done, total: None)


def test_a_pack_is_made_once_for_its_inputs():
    """The second job finds it there; other inputs have another name."""
    inputs, contents = inputs_of(*a_phantom("HFS")[:2], [])
    packing = some_packing(inputs, contents)
    run(packing)
    (first,) = packing.packs.kept.values()
    run(packing)
    assert list(packing.packs.kept.values()) == [first]
    fewer, _ = inputs_of(a_phantom("HFS")[0][1:], a_phantom("HFS")[1], [])
    assert fewer.pack_id != inputs.pack_id


def test_pictures_go_with_their_subject():
    """What is erased leaves no pack."""
    inputs, contents = inputs_of(*a_phantom("HFS")[:2], [])
    packing = some_packing(inputs, contents)
    run(packing)
    packing.inputs.inputs = None
    run(packing)
    assert packing.packs.kept == {}


def test_a_sweep_leaves_only_what_is_still_there():
    """Daily, beside the comparison with the archive."""
    inputs, contents = inputs_of(*a_phantom("HFS")[:2], [])
    packing = some_packing(inputs, contents)
    run(packing)
    packing.sweep()
    assert packing.packs.kept
    packing.inputs.inputs = None
    packing.sweep()
    assert packing.packs.kept == {}


def test_after_an_assembly_only_lacking_packs_are_asked_for():
    """Once it is there, nothing is."""
    inputs, contents = inputs_of(*a_phantom("HFS")[:2], [])
    packing = some_packing(inputs, contents)
    packing.ask_for_new(1)
    run(packing)
    packing.ask_for_new(1)
    assert [(item.kind, item.key) for item in packing.jobs.requests] == [
        (JobKind.VIEWER, "plans ps1")
    ]


def test_what_nobody_may_look_at_is_not_asked_for():
    """A patient in quarantine is assembled like any other; its pictures are not prepared."""
    inputs, _ = inputs_of(*a_phantom("HFS")[:2], [])
    packing = some_packing(inputs)
    packing.inputs.of_patient = lambda patient_key: [SUBJECT]
    packing.inputs.inputs = None
    packing.ask_for_new(1)
    assert packing.jobs.requests == []


def test_the_desk_opens_what_is_there_and_asks_for_the_rest():
    """A pack of other inputs is none; a file of it is not given."""
    inputs, contents = inputs_of(*a_phantom("HFS")[:2], [])
    packing, asked = some_packing(inputs, contents), []
    desk = ViewerDesk(inputs=packing.inputs, packs=packing.packs, ask=asked.extend)
    assert not desk.open(SUBJECT, "Lung").ready
    assert [item.label for item in asked] == ["Prepare viewer of Lung"]
    run(packing)
    assert desk.open(SUBJECT).ready
    assert desk.read(SUBJECT, inputs.pack_id, "contours")
    with pytest.raises(NotFoundError):
        desk.read(SUBJECT, "another", "contours")


def test_a_subject_is_a_key_and_back():
    """A series is named by its patient and UID."""
    subject = Subject(kind=SubjectKind.SERIES, key="pt1:1.2.3")
    assert Subject.parse(str(subject)) == subject


def test_files_are_read_where_they_lie_and_asked_for_when_they_left(tmp_path):
    """One image was deleted since it was located, and is read from the archive all the same."""
    seen = []

    class Noting(PlainReader):
        def image(self, source):
            seen.append(source)
            return super().image(source)

    inputs, contents = inputs_of(*a_phantom("HFS")[:2], [])
    paths = {name: tmp_path / name for name in inputs.images}
    for name, path in list(paths.items())[1:]:
        path.write_bytes(contents.originals.read(name))
    contents.originals.paths = paths
    packing = some_packing(inputs, contents, Noting())
    run(packing)
    (pack,) = packing.packs.kept.values()
    assert pack.meta["notes"] == []
    missing = next(iter(paths))
    assert [item for item in seen if isinstance(item, Path)] == list(paths.values())
    assert [item for item in seen if isinstance(item, bytes)] == [contents.originals.read(missing)]
