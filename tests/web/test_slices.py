"""Key slices drawn on the server."""

import base64
import json
import re
import struct
import zlib

import numpy as np
import pytest

from tests.builders.phantom import CENTER, image_value, radius_mm
from tests.web.viewing import PLAN, FakeViewer, phantom_pack
from webui.slices import CORONAL, SAGITTAL, Level, PackSlices, png

INPUTS, PACK = phantom_pack(PLAN)


@pytest.fixture
def slices() -> PackSlices:
    return PackSlices(lambda name: FakeViewer().read(PLAN, INPUTS.pack_id, name))


def lines_of(svg: str, color: str) -> np.ndarray:
    """All vertices of the path in this colour, (n, 2)."""
    path = re.search(rf'<path d="([^"]*)" fill="none" stroke="{color}"', svg).group(1)
    return np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", path), dtype=float)


def test_an_isodose_is_drawn_where_the_dose_is(slices):
    """A circle around the centre, to the millimetre hundredths that are written."""
    drawn = lines_of(slices.svg(18.0, [Level(gy=48.0, color="#123456")], {}), "#123456")
    radius = np.sqrt(radius_mm(48.0) ** 2 - (18.0 - CENTER[2]) ** 2)
    distance = np.hypot(drawn[:, 0] - CENTER[0], drawn[:, 1] - CENTER[1])
    assert np.abs(distance - radius).max() < 0.01 + 2 * 2.5**2 / 8 / radius


def test_rings_are_drawn_as_they_were_sent(slices):
    """A 40 mm and a 16 mm square, closed."""
    drawn = lines_of(slices.svg(15.0, [], {1: "#abcdef"}), "#abcdef")
    assert sorted(set(np.abs(drawn).ravel())) == [8.0, 20.0]
    assert len(drawn) == 10


def test_lines_are_as_thick_on_a_small_slice_as_on_a_large_one(slices):
    """In pixels of the screen or paper, not in millimetres of the patient."""
    svg = slices.svg(18.0, [Level(gy=48.0, color="#123456")], {1: "#abcdef"})
    assert svg.count("<path") == svg.count('vector-effect="non-scaling-stroke"') == 2


def test_where_no_image_is_the_picture_is_black_on_every_page(slices):
    """A page in dark colours would fill it with its white text colour."""
    assert re.search(r'<rect [^>]*fill="#000"/>', slices.svg(18.0, [], {}))


def test_a_slice_between_the_images_has_none(slices):
    """Above the last image there is dose, but no picture and no ring."""
    svg = slices.svg(43.0, [Level(gy=30.0, color="#123456")], {1: "#abcdef"})
    assert "<image" not in svg
    assert "#abcdef" not in svg
    assert lines_of(svg, "#123456").size


def test_key_slices_span_the_target_and_the_highest_dose(slices):
    """Five through the ring from 6 to 24 mm, and the voxel with the highest dose."""
    highest = PACK.meta["doses"][0]["max_at_mm"][2]
    assert slices.key_positions_mm() == sorted([6.0, 12.0, 15.0, 18.0, 24.0, round(highest, 2)])


@pytest.mark.parametrize(
    ("prescribed", "highest"), [(50.0, 53.5), (None, 0.9 * PACK.meta["doses"][0]["max"])]
)
def test_levels_are_of_the_prescription_or_of_the_highest_dose(slices, prescribed, highest):
    """107 % of 50 Gy, or nine tenths of the maximum."""
    assert slices.levels(prescribed)[-1].gy == pytest.approx(highest)


def test_a_picture_is_a_png_with_its_pixels():
    """ISO 15948: a filter byte before each row."""
    data = png(np.array([[0, 255], [7, 8]], dtype=np.uint8))
    packed = data[data.index(b"IDAT") + 4 : data.index(b"IEND") - 8]
    assert zlib.decompress(packed) == bytes([0, 0, 255, 0, 7, 8])


ACROSS = pytest.mark.parametrize("view", [SAGITTAL, CORONAL], ids=lambda view: view.name)


def pixels_of(svg: str) -> np.ndarray:
    """The picture in a drawing."""
    data = base64.b64decode(re.search('base64,([^"]*)', svg).group(1))
    width, height = struct.unpack(">II", data[16:24])
    packed = data[data.index(b"IDAT") + 4 : data.index(b"IEND") - 8]
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, width + 1)
    return rows[:, 1:]


@ACROSS
def test_an_isodose_lies_right_in_the_other_planes(slices, view):
    """A circle around the centre of the sphere; the head is up, so z is drawn downwards."""
    at = 6.0
    drawn = lines_of(slices.svg(at, [Level(gy=48.0, color="#123456")], {}, view), "#123456")
    radius = np.sqrt(radius_mm(48.0) ** 2 - (at - CENTER[view.n]) ** 2)
    distance = np.hypot(drawn[:, 0] - CENTER[view.u], drawn[:, 1] + CENTER[2])
    assert np.abs(distance - radius).max() < 0.01 + 2 * 2.5**2 / 8 / radius


@ACROSS
def test_a_structure_is_cut_in_the_other_planes(slices, view):
    """The 40 mm square with its 16 mm hole, on slices from 6 to 24 mm of 3 mm each."""
    drawn = lines_of(slices.svg(0.0, [], {1: "#abcdef"}, view), "#abcdef")
    assert sorted(set(np.abs(drawn[:, 0]))) == [8.0, 20.0]
    assert (drawn[:, 1].min(), drawn[:, 1].max()) == (-25.5, -4.5)
    beside = lines_of(slices.svg(15.0, [], {1: "#abcdef"}, view), "#abcdef")
    assert sorted(set(np.abs(beside[:, 0]))) == [20.0]  # beside the hole
    assert "#abcdef" not in slices.svg(21.0, [], {1: "#abcdef"}, view)


@ACROSS
def test_the_picture_of_another_plane_has_the_voxels_of_its_place(slices, view):
    """Every voxel of the plane with the head up: (HU + 160) / 400 of 255."""
    image = PACK.meta["image"]
    positions = image[f"{view.normal}_mm"]
    at = positions[len(positions) // 3]
    across, z = image[f"{'xyz'[view.u]}_mm"], image["z_mm"]
    places = np.zeros((len(z), len(across), 3))
    places[..., view.n], places[..., view.u] = at, across
    places[..., 2] = np.array(z)[:, None]
    values = image_value(places.reshape(-1, 3)).reshape(len(z), len(across))
    expected = np.clip((values + 160) / 400, 0, 1) * 255
    seen = pixels_of(slices.svg(at, [], {}, view))[::-1]
    assert np.abs(seen - expected).max() <= 1
    assert len(np.unique(seen)) > 5


@ACROSS
def test_where_a_slice_lacks_the_picture_is_empty(view):
    """The upper half of the images is 3 mm higher: one row between the halves shows nothing."""
    meta = json.loads(json.dumps(PACK.meta))
    meta["image"]["z_mm"] = [z + (3.0 if z > 20 else 0.0) for z in meta["image"]["z_mm"]]

    def read(name: str) -> bytes:
        if name == "meta.json":
            return json.dumps(meta).encode()
        return FakeViewer().read(PLAN, INPUTS.pack_id, name)

    gapped = pixels_of(PackSlices(read).svg(1.5, [], {}, view))[::-1]
    whole = pixels_of(
        PackSlices(lambda n: FakeViewer().read(PLAN, INPUTS.pack_id, n)).svg(1.5, [], {}, view)
    )[::-1]
    assert len(gapped) == len(whole) + 1
    assert not gapped[7].any()
    np.testing.assert_array_equal(np.delete(gapped, 7, axis=0), whole)


def test_the_page_shows_all_three_planes_through_the_same_point(physicist):
    """The axial ones, and one of each other plane through where the viewer opens."""
    page = physicist.get("/viewer/plans/ps1/slices").text
    start = PACK.meta["start_mm"]
    assert page.count("<figcaption") == 8
    assert f"Sagittal, x {start[0]:.1f} mm" in page
    assert f"Coronal, y {start[1]:.1f} mm" in page
    assert f"Axial, z {start[2]:.1f} mm" in page
