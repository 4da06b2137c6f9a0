"""The link drawing: columns, missing targets, and one box per object."""

from dataclasses import replace

from rtpacs.rules.objects import ReferenceKind
from rtpacs.rules.plan_sets import LinkStatus
from tests.web import sample_plans as plans
from tests.web.fakes import FakeCatalogue
from webui.diagram import COLUMN_STEP, MARGIN, diagram

DETAIL = FakeCatalogue().plan_set("ps1")


def _column(box) -> int:
    return (box.x - MARGIN) // COLUMN_STEP


def test_objects_stand_in_the_order_of_the_reference_chain() -> None:
    """Dose, plan, structure set, images from left to right."""
    columns = {box.role: _column(box) for box in diagram(DETAIL).boxes}
    assert columns["dose"] == 0
    assert columns["plan"] == 1
    assert columns["structure set"] == 2
    assert columns["image"] == 3


def test_no_two_boxes_share_a_place() -> None:
    """Each object appears once, wherever it is referred to."""
    boxes = diagram(DETAIL).boxes
    assert len({(box.x, box.y) for box in boxes}) == len(boxes)
    assert len({box.key for box in boxes}) == len(boxes)


def test_a_missing_target_is_drawn_as_missing_with_its_uid() -> None:
    """The reader sees what to send."""
    link = plans.a_link(
        plans.PLAN,
        ReferenceKind.PLAN_TO_STRUCTURE_SET,
        target_uid="1.2.3",
        status=LinkStatus.MISSING,
        found=0,
    )
    drawn = diagram(replace(DETAIL, objects=(plans.PLAN,), links=(link,)))
    (missing,) = [box for box in drawn.boxes if box.missing]
    assert missing.uid == "1.2.3"
    assert missing.label == "structure set not here"
    assert _column(missing) == 2
    (wire,) = drawn.wires
    assert wire.tone == "bad"


def test_a_dose_that_nothing_refers_to_is_drawn_as_missing() -> None:
    """Doses name their plan: a plan without a dose has no reference that could say so."""
    link = plans.a_link(plans.PLAN, ReferenceKind.PLAN_TO_STRUCTURE_SET, to=(plans.STRUCTURE_SET,))
    drawn = diagram(replace(DETAIL, objects=(plans.PLAN,), doses=(), links=(link,)))
    (missing,) = [box for box in drawn.boxes if box.missing]
    assert missing.label == "dose not here"
    assert _column(missing) == 0


def test_a_dose_under_another_patient_number_is_not_drawn_as_missing() -> None:
    """It is here: to export it again would not help."""
    link = plans.a_link(
        plans.DOSE, ReferenceKind.DOSE_TO_PLAN, plans.PLAN, status=LinkStatus.OTHER_PATIENT
    )
    drawn = diagram(replace(DETAIL, objects=(plans.PLAN,), doses=(), links=(link,)))
    assert not [box for box in drawn.boxes if box.missing]


def test_incomplete_images_say_how_many_are_here() -> None:
    """132 of 140."""
    drawn = diagram(FakeCatalogue().plan_set("ps2"))
    assert any("132 of 140 images" in box.detail for box in drawn.boxes)


def test_a_wire_back_and_one_within_a_column_stay_on_the_drawing() -> None:
    """A plan that refers to a dose, and a plan that refers to a plan."""
    other = plans.an_object(9, "plan", "RTPLAN", "Prior")
    links = (
        plans.a_link(plans.PLAN, ReferenceKind.PLAN_TO_DOSE, plans.DOSE),
        plans.a_link(plans.PLAN, ReferenceKind.PLAN_TO_PLAN, other),
    )
    drawn = diagram(replace(DETAIL, links=links))
    assert len(drawn.wires) == 2
    assert all(wire.path.startswith("M") for wire in drawn.wires)


def test_a_reference_of_an_unknown_object_draws_no_wire() -> None:
    """Objects of another patient are not listed here."""
    stray = replace(plans.THORAX_LINKS[0], from_id="elsewhere")
    assert diagram(replace(DETAIL, links=(stray,))).wires == ()


def test_many_records_are_one_box_with_one_wire() -> None:
    """35 fractions would push the plan out of sight."""
    records = tuple(
        plans.an_object(100 + day, "treatment record", "RTRECORD", f"day {day}")
        for day in range(35)
    )
    links = tuple(
        plans.a_link(record, ReferenceKind.RECORD_TO_PLAN, plans.PLAN, required=False)
        for record in records
    )
    drawn = diagram(replace(DETAIL, objects=(plans.PLAN, *records), links=links))
    assert sorted(box.label for box in drawn.boxes) == ["35 treatment records", "Lung_VMAT_60"]
    assert len(drawn.wires) == 1


def test_a_few_records_stand_apart() -> None:
    """Three are drawn with their labels."""
    records = tuple(
        plans.an_object(100 + day, "treatment record", "RTRECORD", f"day {day}") for day in range(3)
    )
    drawn = diagram(replace(DETAIL, objects=records, links=()))
    assert [box.label for box in drawn.boxes] == ["day 0", "day 1", "day 2"]
