"""From the portal to other nodes over C-STORE, through the running system."""

import hashlib
import io
import secrets
import zipfile
from contextlib import contextmanager

import pytest
from pydicom import dcmread

from rtpacs.services.desk import NewNode
from tests.live import until
from tests.orthanc.asking import plan_set_of
from tests.orthanc.cases import a_case
from tests.unit.archive.peers import a_peer
from tests.unit.archive.test_echo import a_listener

CLASSES = [f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "481.2", "481.3", "481.5")]
PROMPT_SECONDS = 20.0  # on a loaded machine; alone it takes one


@pytest.fixture(scope="module")
def sent(system, tmp_path_factory):
    """A case that has arrived: (case, id of its plan set)."""
    case = a_case()
    system.send(case.write(tmp_path_factory.mktemp("sent")))
    system.settle()
    return case, plan_set_of(system, case)["id"]


def add_node(system, port):
    """A node of NORTH that may receive; its id."""
    aet = f"R{secrets.token_hex(4).upper()}"
    system.application.desk.directory.add_node(
        NewNode(aet=aet, center_code="NORTH", host="127.0.0.1", port=port, may_receive=True)
    )
    return next(node.id for node in system.application.desk.directory.nodes() if node.aet == aet)


@contextmanager
def receiving(system, **options):
    """A peer and the id of its node."""
    with a_peer(classes=CLASSES, **options) as peer:
        yield peer, add_node(system, peer.port)


def start(system, plan, node):
    """Send a plan set over the page, as a person does; the transfer's address."""
    browser = system.browser()
    form = {"item": f"plan:{plan}", "node": node, "reason": "re-treatment"}
    answer = browser.post(f"{system.url}/send/start", data=form, timeout=30)
    assert answer.status_code == 200, answer.text
    return browser, answer.url


def transfer(system, address):
    return system.get(f"transfers/{address.rsplit('/', 1)[1]}").json()


def ended(system, address, seconds=PROMPT_SECONDS):
    """Wait for the end of a transfer."""

    def done():
        row = transfer(system, address)
        return row if row["state"] not in ("ready", "running") else None

    return until(done, seconds, "the end of the transfer")


def test_a_plan_set_arrives_with_exactly_its_linked_objects(system, sent):
    """CT, structure set, plan and dose, byte for byte as they came; the page says so."""
    case, plan = sent
    with receiving(system) as (peer, node):
        browser, address = start(system, plan, node)
        row = ended(system, address)
    assert (row["state"], row["sent"], row["objects"]) == ("done", 8, 8)
    assert sorted(peer.taken) == sorted(case.sop_uids)
    page = browser.get(address, timeout=30).text
    assert "8 of 8" in page
    assert "re-treatment" in page


def test_a_hanging_peer_delays_nobody_else_and_can_be_cancelled(system, sent):
    """C3: it takes the connection and says nothing; the other has everything meanwhile."""
    _, plan = sent
    with a_listener(closes=False) as port, receiving(system) as (peer, node):
        browser, hanging = start(system, plan, add_node(system, port))
        until(lambda: transfer(system, hanging)["state"] == "running", what="the hanging one")
        _, other = start(system, plan, node)
        assert ended(system, other)["state"] == "done"
        assert len(peer.objects) == 8
        assert transfer(system, hanging)["state"] == "running"

        browser.post(f"{hanging}/cancel", timeout=30)
        assert transfer(system, hanging)["state"] == "cancelled"


def test_trying_again_sends_only_what_was_refused(system, sent):
    """C1 and C4 over the page: the dose is refused for good, then taken on a second try."""
    _, plan = sent
    statuses = iter([0, 0, 0, 0, 0, 0, 0, 0xA900])
    with receiving(system, answer=lambda number: next(statuses, 0)) as (peer, node):
        browser, address = start(system, plan, node)
        row = ended(system, address)
        assert (row["state"], row["sent"], row["refused"]) == ("failed", 7, 1)
        assert "Send what is missing" in browser.get(address, timeout=30).text
        browser.post(f"{address}/retry", timeout=30)
        row = until(
            lambda: (found := transfer(system, address))["state"] == "done" and found,
            PROMPT_SECONDS,
            "the second try",
        )
    assert row["sent"] == 8
    assert len(peer.objects) == 9


def test_a_plan_set_comes_down_as_one_zip(system, sent):
    """Exactly the linked objects, byte for byte as they were sent, checked by their checksums."""
    case, plan = sent
    browser = system.browser()
    answer = browser.post(f"{system.url}/download", data={"item": f"plan:{plan}"}, timeout=60)
    assert answer.headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    sums = dict(
        reversed(line.split("  ")) for line in archive.read("SHA256SUMS").decode().splitlines()
    )
    assert len(sums) == len(case.sop_uids)
    found = set()
    for name, digest in sums.items():
        data = archive.read(name)
        assert hashlib.sha256(data).hexdigest() == digest
        found.add(dcmread(io.BytesIO(data), stop_before_pixels=True).SOPInstanceUID)
    assert found == set(case.sop_uids)
