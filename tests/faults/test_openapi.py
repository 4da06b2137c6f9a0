"""Twenty thousand requests made from our own OpenAPI document, at a running system.

A third of them is what the document allows, a third breaks it, and a third names what is there.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

from rtpacs.rules.access import AccountRole
from rtpacs.rules.projects import EntryKind
from rtpacs.services.desk import NewAccount
from tests.faults.tools import own_system
from tests.live import PHYSICIST, LiveSystem
from tests.orthanc.asking import plan_set_of
from tests.orthanc.associations import store
from tests.orthanc.cases import a_case

ASKED = 20_000
EXAMPLES = 50
MOST_ROUNDS = 40
TIMEOUT_SECONDS = 60
WHO = ("admin", PHYSICIST, "")
GUEST = "guest-of-tests"


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """One case of NORTH, in project P."""
    with own_system(tmp_path_factory.mktemp("openapi") / "home") as live:
        yield live


def test_no_request_of_twenty_thousand_breaks_the_server(system: LiveSystem, record_property):
    """No answer is a 5xx, none and no log holds a stack trace, and all parts still answer."""
    asking = Asking(system)
    operations = [found.ok() for found in asking.schema.get_all_operations()]
    for number in range(MOST_ROUNDS):
        asking.sign_in()
        for operation in operations:
            asking.round(operation, number)
        if asking.count >= ASKED:
            break
    assert asking.count >= ASKED
    assert not asking.broken, "\n".join(asking.broken)
    system.await_healthy()
    logs = [system.home / "serve.log", *(system.home / "logs").iterdir()]
    assert [one.name for one in logs if "Traceback" in one.read_text(errors="replace")] == []
    by_class = ", ".join(f"{n} × {kind}xx" for kind, n in sorted(asking.statuses.items()))
    record_property("measured", f"{asking.count} requests, {len(operations)} routes: {by_class}")


class Asking:
    """Sends examples of each operation, as everybody in turn, and counts the answers."""

    def __init__(self, system: LiveSystem) -> None:
        self.url, self.known = system.url, _known(system)
        document = system.get("openapi.json", user="admin").json()
        self.schema = schemathesis.openapi.from_dict(document)
        self.broken: list[str] = []
        self.statuses: Counter[int] = Counter()
        self._system, self._session = system, requests.Session()
        self._headers: list[dict[str, str]] = []

    @property
    def count(self) -> int:
        """How many were answered."""
        return self.statuses.total()

    def sign_in(self) -> None:
        """Tokens of everybody, which last half an hour."""
        self._system._tokens.clear()
        self._headers = [
            {"Authorization": f"Bearer {self._system.token(who)}"} if who else {} for who in WHO
        ]

    def round(self, operation: Any, number: int) -> None:
        """Some examples of each kind."""
        wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        _examples(operation.as_strategy(), number, self._ask)
        _examples(operation.as_strategy(), number, lambda case: self._ask(self._named(case)))
        _examples(wrong, number, self._ask)

    def _ask(self, case: Any) -> None:
        headers = self._headers[self.count % len(WHO)]
        answer = case.call(
            base_url=self.url, session=self._session, headers=headers, timeout=TIMEOUT_SECONDS
        )
        self.statuses[answer.status_code // 100] += 1
        if answer.status_code >= 500 or "Traceback" in answer.text:
            self.broken.append(f"{answer.status_code} {case.as_curl_command()} {answer.text[:300]}")

    def _named(self, case: Any) -> Any:
        """The same example with names of what is there."""
        for part in ("path_parameters", "query", "body"):
            values = getattr(case, part)
            if isinstance(values, dict):
                there = {key: self.known[key] for key in values if key in self.known}
                setattr(case, part, {**values, **there})
        return case


def _examples(strategy: Any, number: int, act: Callable[[Any], None]) -> None:
    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def some(case: Any) -> None:
        act(case)

    with suppress(Unsatisfiable):  # nothing of a route without parameters can be wrong
        some()


def _known(system: LiveSystem) -> dict[str, Any]:
    """A name for each parameter and field that names something."""
    case = a_case()
    store(system, case.objects)
    system.settle()
    desk = system.application.system_desk
    roles = frozenset({AccountRole.MEMBER})
    desk.accounts.add(NewAccount(name=GUEST, roles=roles, center="NORTH"), "a guest's password")
    system.run("project", "add", "P")
    desk.projects.set_member("P", GUEST)
    desk.projects.put("P", desk.projects.find(EntryKind.PLAN, case.plan_uid))
    row = plan_set_of(system, case)
    study = system.items(f"studies?q={case.patient_id}", user=PHYSICIST)[0]
    node = desk.directory.nodes()[0].id
    return {
        "patient_id": study["patient"]["id"],
        "study_id": study["id"],
        "plan_set_id": row["id"],
        "plan_uid": case.plan_uid,
        "node_id": node,
        "node": node,
        "nodes": [node],
        "items": [f"plan:{row['id']}"],
        "code": "P",
        "account": GUEST,
        "center": "NORTH",
        "center_code": "NORTH",
        "entry_id": desk.projects.entries("P", limit=1).items[0].id,
        "event_id": desk.projects.events("P")[0].id,
        "job_id": 1,
        "who": "admin",
        "patient": study["patient"]["id"],
    }
