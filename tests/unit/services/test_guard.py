"""Who may read what from Orthanc: the decisions, what is remembered and for how long."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from rtpacs.errors import StoreUnavailableError
from rtpacs.rules.access import AccountRole, Actor
from rtpacs.rules.routes import Level
from rtpacs.services.access_log import Recorder
from rtpacs.services.guard import REFUSED, TRUST_SECONDS, Guard, Release

NOW = datetime(2026, 3, 12, tzinfo=UTC)
IDS = {
    name: "-".join([f"{number:08x}"] * 5)
    for number, name in enumerate(("mine", "seen", "theirs", "variant", "all", "mixed", "foreign"))
}


def given(name, *, sends):
    """NORTH's copy may be looked at, and perhaps taken away."""
    copies = {"NORTH": IDS[name]}
    return Release(info=copies, send=copies if sends else {})


class World:
    """Accounts, an index and an Orthanc, in memory; counts how often each is asked."""

    def __init__(self):
        self.now = 0.0
        self.arrivals = 0
        self.asked = {"identify": 0, "beside": 0, "all_of": 0}
        self.looked_up = 0
        self.foreign_uids = {"1.6": IDS["foreign"]}
        self.tokens = {"reader"}
        self.given = {
            IDS["mine"]: given("mine", sends=True),
            IDS["seen"]: given("seen", sends=False),
        }
        self.held = {
            IDS["all"]: [IDS["mine"]],
            IDS["mixed"]: [IDS["mine"], IDS["theirs"]],
            IDS["foreign"]: [IDS["theirs"]],
        }
        self.uids = {"1.2": IDS["mine"], "1.3": IDS["theirs"], "1.9": IDS["all"]}
        self.guard = Guard(
            identify=self.identify,
            releases=self,
            holdings=self,
            arrivals=lambda: self.arrivals,
            clock=lambda: NOW,
            monotonic=lambda: self.now,
            log=Recorder(self),
        )
        self.noted = Counter()
        self.log_is_broken = False

    def append(self, events):
        if self.log_is_broken:
            raise StoreUnavailableError("the disk is full")
        self.noted.update(events)

    def identify(self, token):
        self.asked["identify"] += 1
        roles = frozenset({AccountRole.SUBMITTER})
        return Actor(name="a", center="NORTH", roles=roles) if token in self.tokens else None

    def beside(self, instance, reach):
        self.asked["beside"] += 1
        return dict(self.given) if instance in self.given else {}

    def all_of(self, instances, reach):
        self.asked["all_of"] += 1
        found = [self.given.get(one, REFUSED) for one in instances]
        return found[0] if all(one == found[0] for one in found) else REFUSED

    def sees(self, level, uid, reach):
        return uid in self.uids

    def find(self, level, uid):
        self.looked_up += 1
        return (self.uids | self.foreign_uids).get(uid)

    def first(self, level, resource):
        return next(iter(self.held.get(resource, [])), None)

    def instances(self, level, resource):
        return self.held.get(resource, [])

    def allows(self, path, parameters=None, credential="Bearer reader"):
        return self.guard.allows(path, parameters or {}, credential)


@pytest.fixture
def world():
    return World()


def file(name):
    return f"/instances/{IDS[name]}/file"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (file("mine"), True),
        (file("seen"), False),
        (f"/instances/{IDS['seen']}/tags", True),
        (file("theirs"), False),
        (file("variant"), False),
        (f"/studies/{IDS['all']}/archive", True),
        (f"/studies/{IDS['mixed']}/archive", False),
        (f"/patients/{IDS['foreign']}/archive", False),
        ("/dicom-web/studies/1.9", True),
        ("/dicom-web/studies/1.1/series/1.1/instances/1.2", True),
        ("/dicom-web/studies/1.1/series/1.1/instances/1.3", False),
        ("/dicom-web/studies/1.1/series/1.1/instances/1.8", False),
        (f"/studies/{IDS['all']}", False),
        ("/changes", False),
        ("/", False),
        ("", False),
    ],
)
def test_a_request_passes_where_everything_in_it_does(world, path, answer):
    """Looking and taking away are two rights; a resource holds what its instances hold."""
    assert world.allows(path) is answer


@pytest.mark.parametrize("credential", ["", "Bearer", "Bearer other", "Basic reader", "reader"])
def test_without_a_token_that_counts_nothing_passes(world, credential):
    """Whatever is asked."""
    assert world.allows(file("mine"), credential=credential) is False


def test_a_series_is_asked_for_once(world):
    """Images of one series come one after the other: one question to the index."""
    for _ in range(100):
        assert world.allows(file("mine"))
        assert world.allows(f"/instances/{IDS['seen']}/tags")
    assert world.asked == {"identify": 1, "beside": 1, "all_of": 0}


def test_a_right_that_ends_is_gone_after_five_seconds(world):
    """And a token that was ended is."""
    assert world.allows(file("mine"))
    world.given.clear()
    assert world.allows(file("mine"))
    world.now = TRUST_SECONDS
    assert not world.allows(file("mine"))
    world.tokens.clear()
    world.now = 2 * TRUST_SECONDS
    assert not world.allows(file("mine"))
    assert world.asked["identify"] == 3


def test_what_arrives_closes_a_whole_at_once(world):
    """A foreign object in a study counts before the memory of five seconds ends."""
    archive = f"/studies/{IDS['all']}/archive"
    assert world.allows(archive)
    assert world.allows(archive)
    assert world.asked["all_of"] == 1
    world.held[IDS["all"]].append(IDS["theirs"])
    world.arrivals += 1
    assert not world.allows(archive)


def test_refusals_cost_the_same_there_or_not(world):
    """One question to the index each, and none is remembered: time tells nothing."""
    absent = "-".join(["ffffffff"] * 5)
    for path in (
        file("theirs"),
        f"/instances/{absent}/file",
        f"/studies/{IDS['foreign']}/archive",
        f"/studies/{absent}/archive",
        "/dicom-web/studies/1.1/series/1.1/instances/1.3",
        "/dicom-web/studies/1.1/series/1.1/instances/1.8",
    ):
        before = world.asked["beside"]
        assert not world.allows(path)
        assert not world.allows(path)
        assert world.asked["beside"] - before == 2
    assert world.asked["all_of"] == 0


def test_of_foreign_studies_and_series_orthanc_is_asked_nothing(world):
    """It answers quicker where there is nothing: the index alone refuses both."""
    for path in ("/dicom-web/studies/1.6", "/dicom-web/studies/1.7"):
        assert not world.allows(path)
        assert not world.allows(f"{path}/series/1.6/metadata")
    assert world.looked_up == 0
    assert world.allows("/dicom-web/studies/1.9")
    assert world.looked_up == 1


def test_many_tokens_do_not_fill_the_memory(world):
    """Invented ones are forgotten together."""
    for number in range(3000):
        world.allows(file("mine"), credential=f"Bearer invented-{number}")
    assert len(world.guard._sessions) <= 1000


def test_levels_are_those_of_the_paths():
    """The words of the table are Orthanc's."""
    assert [level.value for level in Level] == ["patients", "studies", "series", "instances"]


def test_every_answer_and_refusal_gets_a_row_of_the_access_log(world):
    """Who, from where, in words what, and an instance by which the log finds the patient."""
    path = f"/instances/{IDS['mine']}/file"
    assert world.guard.allows(path, {}, "Bearer reader", "192.0.2.9")
    assert not world.guard.allows(path.replace(IDS["mine"], IDS["theirs"]), {}, "Bearer reader")
    world.guard.log.flush()
    passed, refused = world.noted
    assert (passed.who, passed.address, passed.what) == ("a", "192.0.2.9", "GET instances as DICOM")
    assert (passed.outcome, passed.subject.id) == ("success", IDS["mine"])
    assert passed.subject.centers == {"NORTH"}
    assert (refused.outcome, refused.subject) == ("refused", None)


def test_nothing_is_answered_while_the_access_log_cannot_be_written(world):
    """A row that waits is written before anything more is shown."""
    path = f"/instances/{IDS['mine']}/file"
    assert world.guard.allows(path, {}, "Bearer reader")
    world.log_is_broken = True
    assert not world.guard.log.flush()
    assert not world.guard.allows(path, {}, "Bearer reader")
    world.log_is_broken = False
    assert world.guard.log.flush()
    assert world.guard.allows(path, {}, "Bearer reader")


def test_what_is_remembered_is_logged_each_time(world):
    """The same file a hundred times is one row that counts a hundred; 101 with another address."""
    for _ in range(100):
        assert world.allows(file("mine"))
    assert world.guard.allows(file("mine"), {}, "Bearer reader", "192.0.2.7")
    world.guard.log.flush()
    assert sorted(world.noted.values()) == [1, 100]
