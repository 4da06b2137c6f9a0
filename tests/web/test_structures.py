"""How structures are grouped, ordered and chosen."""

from dataclasses import replace

import pytest

from tests.web import sample_doses as doses
from tests.web.fakes import FakeDoses
from webui.structures import Group, group_of, grouped, lines

VIEW = FakeDoses().calculation("pr1")


@pytest.mark.parametrize(
    ("name", "kind", "group"),
    [
        ("PTV_60", None, Group.TARGETS),
        ("ptv low", "ORGAN", Group.TARGETS),
        ("Boost", "CTV", Group.TARGETS),
        ("BODY", None, Group.BACKGROUND),
        ("Couch top", None, Group.BACKGROUND),
        ("Skin", "EXTERNAL", Group.BACKGROUND),
        ("Body of sternum", "ORGAN", Group.ORGANS),
        ("Rectum", None, Group.ORGANS),
        ("Ring", "CONTROL", Group.ORGANS),
    ],
)
def test_a_structure_is_grouped_by_type_and_else_by_name(
    name: str, kind: str | None, group: Group
) -> None:
    """Many systems export no RTROIInterpretedType."""
    row = replace(doses.dvh_row(2), name=name, interpreted_type=kind)
    assert group_of(row) is group


def test_targets_come_first_and_background_is_not_drawn() -> None:
    """Within a group the order of the structure set stays."""
    made = lines(VIEW, None)
    assert [line.dvh.name for line in made[:4]] == ["GTVp", "CTVp", "PTVp_6000", "PTVn_5400"]
    shown = {line.dvh.name for line in made if line.shown}
    assert {"Heart", "PTVp_6000"} <= shown
    assert not {"BODY", "CouchSurface", "Iso_Marker"} & shown


def test_the_choice_of_the_reader_wins_but_nothing_without_a_curve_is_drawn() -> None:
    """BODY (1) can be chosen, a marker (21) has no curve."""
    assert [line.dvh.number for line in lines(VIEW, [1, 21]) if line.shown] == [1]


def test_empty_groups_have_no_heading() -> None:
    """A plan of targets alone."""
    only = replace(VIEW, dvhs=(doses.dvh_row(16),))
    assert [group for group, _ in grouped(lines(only, None))] == [Group.TARGETS]
