"""Key slices drawn on the server."""

import re
import zlib

import numpy as np
import pytest

from tests.builders.phantom import CENTER, radius_mm
from tests.web.viewing import PLAN, FakeViewer, phantom_pack
from webui.slices import Level, PackSlices, png

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
