"""Who may do what: the tables of docs/access.md, deny by default, refusals win."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpacs.rules.access import (
    ANYWHERE,
    DATA_ACTIONS,
    EVERYTHING,
    NOBODY,
    TICKS,
    AccountRole,
    Action,
    Actor,
    Agreement,
    Grant,
    Narrowing,
    Resource,
    decide,
    reach_of,
    scope_of,
)

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
DOCUMENT = Path(__file__).parents[3] / "docs" / "access.md"
FLAGS = {"quarantined": "quarantined", "expired": "expired", "erased": "erased"}
FLAGS["in conflict"] = "in_conflict"


def table(title: str) -> list[tuple[str, Action, str]]:
    """(row, action, cell) of the table under a heading of the document."""
    text = DOCUMENT.read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    head, _, *rows = lines
    return [
        (row[0], Action(name), cell)
        for row in rows
        for name, cell in zip(head[1:], row[1:], strict=True)
    ]


def an_actor(**changes) -> Actor:
    return replace(Actor(name="ada", center="NORTH"), **changes)


def allowed(actor: Actor, action: Action, resource: Resource) -> bool:
    return decide(actor, action, resource, NOW).allowed


@pytest.mark.parametrize(("role", "action", "cell"), table("Roles and the own center"))
def test_roles_give_what_the_document_says(role, action, cell):
    """For the own center's data only; what administrators do is no data of anybody."""
    actor = an_actor(roles=frozenset({AccountRole(role)}))
    assert allowed(actor, action, Resource(center="NORTH")) is (cell == "yes")
    elsewhere = allowed(actor, action, Resource(center="SOUTH", projects=frozenset({"P"})))
    assert elsewhere is (cell == "yes" and AccountRole(role) in ANYWHERE)


@pytest.mark.parametrize(("ticks", "action", "cell"), table("The three ticks"))
def test_ticks_give_what_the_document_says(ticks, action, cell):
    """For that center's data in that project, and for nothing else."""
    given = frozenset(Action(name) for name in ticks.split() if name != "none")
    actor = an_actor(grants=(Grant(project="P", center="SOUTH", ticks=given),))
    inside = Resource(center="SOUTH", projects=frozenset({"P", "Q"}))
    assert allowed(actor, action, inside) is (cell == "yes")
    for other in (
        replace(inside, projects=frozenset({"Q"})),
        replace(inside, projects=frozenset()),
        replace(inside, center="EAST"),
    ):
        assert not allowed(actor, action, other)


def test_download_comes_with_send_where_the_project_allows_it():
    """Own data needs no project; ``info`` alone saves nothing to disk."""
    inside = Resource(center="SOUTH", projects=frozenset({"P"}))
    both, info = frozenset({Action.INFO, Action.SEND}), frozenset({Action.INFO})
    answers = [
        allowed(
            an_actor(
                grants=(Grant(project="P", center="SOUTH", ticks=ticks, may_download=switch),)
            ),
            Action.DOWNLOAD,
            inside,
        )
        for ticks, switch in ((both, True), (both, False), (info, True))
    ]
    assert answers == [True, False, False]


@pytest.mark.parametrize(("refusal", "action", "cell"), table("What refuses"))
def test_refusals_outweigh_every_right(refusal, action, cell):
    """Somebody with all rights still gets a no, and its reason."""
    roles = frozenset({AccountRole.CENTER_MANAGER, AccountRole.ADMINISTRATOR})
    actor = an_actor(roles=roles, active=refusal != "deactivated")
    resource = Resource(center="NORTH", **({FLAGS[refusal]: True} if refusal in FLAGS else {}))
    assert allowed(actor, action, resource) is (cell == "–")


def test_the_tables_are_whole():
    """Every role, every subset of ticks and every refusal stands in the document."""
    assert {row for row, _, _ in table("Roles and the own center")} == set(AccountRole)
    assert len({frozenset(row.split()) for row, _, _ in table("The three ticks")}) == 2 ** len(
        TICKS
    )
    assert {row for row, _, _ in table("What refuses")} == {*FLAGS, "deactivated"}


@pytest.mark.parametrize("until", [NOW, NOW - timedelta(seconds=1)])
def test_what_has_ended_gives_nothing(until):
    """A grant and an agreement end at the moment that is written there."""
    ticks = frozenset(TICKS)
    actor = an_actor(
        roles=frozenset({AccountRole.ADMINISTRATOR}),
        grants=(Grant(project="P", center="SOUTH", ticks=ticks, until=until),),
        agreements=(Agreement(center="SOUTH", until=until),),
    )
    resource = Resource(center="SOUTH", projects=frozenset({"P"}))
    assert not any(allowed(actor, action, resource) for action in (*TICKS, Action.TICK))
    still = replace(
        actor,
        grants=(replace(actor.grants[0], until=LATER),),
        agreements=(Agreement(center="SOUTH", until=LATER),),
    )
    assert all(allowed(still, action, resource) for action in (*TICKS, Action.TICK))


def test_members_open_and_managers_manage_their_project():
    """And see no data by it."""
    actor = an_actor(member_of=frozenset({"P", "Q"}), manages=frozenset({"Q"}))
    answers = [
        [
            allowed(actor, action, Resource(projects=frozenset({code})))
            for action in (Action.OPEN, Action.MANAGE, Action.INFO)
        ]
        for code in "PQR"
    ]
    assert answers == [[True, False, False], [True, True, False], [False, False, False]]


def test_a_token_only_narrows():
    """To some actions; and with projects named, to what they give."""
    ticks = frozenset(TICKS)
    owner = an_actor(
        roles=frozenset({AccountRole.SUBMITTER}),
        grants=(
            Grant(project="P", center="SOUTH", ticks=ticks),
            Grant(project="Q", center="EAST", ticks=ticks),
        ),
    )
    reading = replace(owner, narrowing=Narrowing(actions=frozenset({Action.INFO})))
    assert reach_of(reading, NOW).info == reach_of(owner, NOW).info
    assert reach_of(reading, NOW).send.is_empty
    one = replace(owner, narrowing=Narrowing(projects=frozenset({"P"})))
    assert scope_of(one, Action.SEND, NOW).granted == {("P", "SOUTH")}
    assert not scope_of(one, Action.SEND, NOW).own


def test_nobody_reaches_nothing_and_scopes_know_their_centers():
    """The deactivated are nobody."""
    gone = an_actor(roles=frozenset({AccountRole.SUBMITTER}), active=False)
    reach = reach_of(gone, NOW)
    assert (reach.info.is_empty, reach.submit.is_empty) == (True, True)
    assert NOBODY.info.is_empty
    assert not EVERYTHING.is_empty
    present = scope_of(replace(gone, active=True), Action.INFO, NOW)
    assert present.centers == {"NORTH"}


NAMES = st.sampled_from(["NORTH", "SOUTH", "EAST"])
PROJECTS = st.frozensets(st.sampled_from(["P", "Q"]))
MOMENTS = st.sampled_from([None, NOW, LATER])
GRANTS = st.builds(
    Grant,
    project=st.sampled_from(["P", "Q"]),
    center=NAMES,
    ticks=st.frozensets(st.sampled_from(TICKS)),
    until=MOMENTS,
)
ACTORS = st.builds(
    Actor,
    name=st.just("ada"),
    center=st.none() | NAMES,
    roles=st.frozensets(st.sampled_from(list(AccountRole))),
    grants=st.lists(GRANTS).map(tuple),
    active=st.booleans(),
    narrowing=st.builds(
        Narrowing,
        actions=st.frozensets(st.sampled_from(list(Action))),
        projects=st.none() | PROJECTS,
    ),
)
RESOURCES = st.builds(
    Resource, center=NAMES, projects=PROJECTS, quarantined=st.booleans(), expired=st.booleans()
)


@given(ACTORS, st.sampled_from(sorted(DATA_ACTIONS)), RESOURCES)
def test_lists_and_single_answers_agree(actor, action, resource):
    """A scope covers what ``decide`` allows, but for what is refused."""
    decision = decide(actor, action, resource, NOW)
    refused = resource.quarantined or resource.expired
    assert decision.reason
    assert decision.allowed is (scope_of(actor, action, NOW).covers(resource) and not refused)


@given(ACTORS, st.lists(GRANTS).map(tuple), st.sampled_from(list(Action)), RESOURCES)
def test_more_grants_never_take_away(actor, further, action, resource):
    """Rights add up: a missing tick is no refusal."""
    more = replace(actor, grants=(*actor.grants, *further))
    assert allowed(more, action, resource) >= allowed(actor, action, resource)


@given(ACTORS, st.sampled_from(list(Action)), RESOURCES)
def test_narrowing_never_gives(actor, action, resource):
    """A token can do nothing that its owner cannot."""
    whole = replace(actor, narrowing=Narrowing())
    assert allowed(actor, action, resource) <= allowed(whole, action, resource)
