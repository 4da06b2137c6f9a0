"""What is broken is refused or listed with its reason, and never stops the others."""

import json
import random
from copy import deepcopy
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from tests.builders import CT_CLASS, to_bytes
from tests.orthanc.asking import dvhs_of, is_indexed, orthanc_id, plan_set_of
from tests.orthanc.associations import (
    SUCCESS,
    association,
    data_set_bytes,
    head_bytes,
    store,
    store_bytes,
)
from tests.orthanc.cases import CENTER_GY, a_case

PRIVATE_CLASS = "1.2.826.0.1.3680043.10.1561.1.77"
IDENTIFIERS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


@pytest.fixture(autouse=True)
def _nothing_died(system):
    """No part ended because of what a test sent."""
    before = [system.children(name) for name in ("orthanc", "worker", "web")]
    yield
    assert [system.children(name) for name in ("orthanc", "worker", "web")] == before


@pytest.mark.fault("A3")
def test_a_truncated_file_is_refused_at_every_offset_over_rest(system, record_property):
    """Orthanc answers with an error and keeps nothing (50 offsets inside values and pixels).

    A file that ends just behind an element is a whole file of less: nobody can tell.
    """
    image = a_case().only("CT")
    data = to_bytes(image)
    offsets = random.Random(1).sample(offsets_inside_values(data), 50)
    statuses = {
        offset: system.orthanc("/instances", method="POST", data=data[:offset]).status_code
        for offset in offsets
    }
    assert {offset: code for offset, code in statuses.items() if code < 400} == {}
    system.settle()
    assert not is_indexed(system, orthanc_id(image))
    record_property("measured", f"REST: {len(statuses)} cuts, 0 acknowledged, 0 indexed")


def offsets_inside_values(data):
    """Offsets that cut a value of the top level in two."""
    dataset = dcmread(BytesIO(data))
    raw = [item for _, item in dataset.items() if isinstance(item, RawDataElement)]
    return [
        offset
        for element in raw
        for offset in range(element.value_tell + 1, element.value_tell + element.length)
    ]


def test_a_truncated_object_is_never_acknowledged_over_the_dicom_port(system):
    """Cut inside the pixels: no success, nothing kept, and the next sender is served.

    Orthanc's DICOM library gives up without an answer, so the sender runs into its own time limit.
    """
    image, whole = a_case().only("CT"), a_case().only("CT")
    cut = data_set_bytes(image)[:-100]
    assert store_bytes(system, image, cut, seconds=2) != SUCCESS
    assert store(system, [whole]) == [SUCCESS]
    system.settle()
    assert is_indexed(system, orthanc_id(whole))
    assert not is_indexed(system, orthanc_id(image))


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
@pytest.mark.fault("A4")
def test_every_encoding_gives_the_same_numbers(system, syntax, record_property):
    """A dose in implicit VR, big endian or deflated: the DVH is that of the plain one."""
    case = a_case()
    dose = case.only("RTDOSE")
    if syntax is ExplicitVRBigEndian:
        dose["PixelData"].value = _swapped(dose.PixelData)
    others = [dataset for dataset in case.objects if dataset is not dose]
    assert set(store(system, others)) == {SUCCESS}
    assert store(system, [dose], syntax=syntax) == [SUCCESS]
    system.settle()
    calculation = dvhs_of(system, plan_set_of(system, case))["calculation"]
    ptv = next(dvh for dvh in calculation["dvhs"] if dvh["name"] == "PTV")
    assert ptv["mean_gy"] == pytest.approx(CENTER_GY, abs=0.01)
    assert ptv["max_gy"] == pytest.approx(CENTER_GY + 3.0, abs=0.1)
    record_property("measured", f"{syntax.name}: mean {ptv['mean_gy']:.3f} Gy of {CENTER_GY} Gy")


def _swapped(pixels: bytes) -> bytes:
    return b"".join(pixels[i + 1 : i + 2] + pixels[i : i + 1] for i in range(0, len(pixels), 2))


@pytest.mark.parametrize("label", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.fault("A4")
def test_bytes_under_a_wrong_label_never_become_a_number(system, label, record_property):
    """Explicit VR called implicit or deflated: refused, or listed as unreadable; no DVH."""
    case = a_case()
    dose = case.only("RTDOSE")
    store(system, [dataset for dataset in case.objects if dataset is not dose])
    data = head_bytes(dose, label) + data_set_bytes(dose)
    answer = system.orthanc("/instances", method="POST", data=data)
    system.settle()
    row = plan_set_of(system, case)
    assert not row["calculated"]
    if answer.status_code == 200:
        assert orthanc_id(dose) in unreadable_ids(system)
    record_property("measured", f"wrongly called {label.name}: HTTP {answer.status_code}, no DVH")


@pytest.mark.parametrize("keyword", IDENTIFIERS)
@pytest.mark.fault("A5")
def test_an_object_without_an_identifier_is_refused(system, keyword, record_property):
    """Over both ways in the sender gets an error; nothing is received, and the log names it."""
    log = system.home / "logs" / "orthanc.log"
    written = log.stat().st_size
    image, bare = a_case().only("CT"), a_case().only("CT")
    del bare[keyword]
    before = system.settle().objects
    answer = system.orthanc("/instances", method="POST", data=to_bytes(bare))
    assert answer.status_code >= 400
    status = store_bytes(system, image, data_set_bytes(bare))
    assert status not in (SUCCESS, None)
    assert system.settle().objects == before
    assert f"required tags ({keyword}) are missing" in log.read_bytes()[written:].decode()
    measured = (
        f"no {keyword}: named in orthanc.log, HTTP {answer.status_code}, C-STORE {status:#06x}"
    )
    record_property("measured", measured)


@pytest.mark.fault("A5")
def test_an_upload_without_an_identifier_is_refused_with_the_attribute(system):
    """Orthanc says only that it does not take it; our reader says why and what to do."""
    bare = a_case().only("CT")
    bare.SeriesInstanceUID = ""
    address = f"{system.url}/upload/file?name=ct.dcm"
    answer = system.browser().post(address, data=to_bytes(bare), timeout=60)
    (row,) = answer.json()
    assert (row["outcome"], row["kept"]) == ("refused", False)
    assert "SeriesInstanceUID (0020,000E)" in row["reason"]
    assert "send it again" in row["reason"]


@pytest.mark.fault("A16")
def test_a_private_class_is_refused_while_images_of_the_same_send_are_stored(
    system, record_property
):
    """The private presentation context is not accepted; the CT in the association is."""
    case = a_case()
    image = case.only("CT")
    with association(system, [CT_CLASS, PRIVATE_CLASS]) as opened:
        assert [context.abstract_syntax for context in opened.accepted_contexts] == [CT_CLASS]
        assert [context.abstract_syntax for context in opened.rejected_contexts] == [PRIVATE_CLASS]
    assert store(system, [image]) == [SUCCESS]
    system.settle()
    assert is_indexed(system, orthanc_id(image))
    record_property("measured", "presentation context rejected, the CT acknowledged and indexed")


def test_an_unreadable_object_is_listed_with_its_reason_and_fails_nothing(system):
    """What cannot be placed is kept and named; its neighbours go on and `status` says 0."""
    case, broken = a_case(), a_case().only("RTDOSE")
    before, earlier = system.settle().findings, unreadable_ids(system)
    bare = deepcopy(broken)
    del bare.SOPClassUID
    answer = system.orthanc("/instances", method="POST", data=to_bytes(bare))
    assert answer.status_code == 200
    assert set(store(system, case.objects)) == {SUCCESS}
    done = system.run("status", "--wait", "--json")

    assert done.returncode == 0
    assert json.loads(done.stdout)["findings"] > before
    assert plan_set_of(system, case)["state"] == "complete"
    assert unreadable_ids(system) - earlier == {orthanc_id(broken)}
    page = system.browser("admin").get(f"{system.url}/system", timeout=30).text
    assert "SOPClassUID (0008,0016) is missing or no UID" in page
    assert system.get("status", user="admin").json()["counts"]["findings"] > before


def unreadable_ids(system):
    """Orthanc's ids of what is kept but cannot be used."""
    page = system.application.desk.operations.unreadable(offset=0, limit=500)
    return {item.orthanc_id for item in page.items}
