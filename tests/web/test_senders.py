"""Nodes and centers are changed, tested, deactivated and removed; what has data stays."""

import re
from dataclasses import replace

import pytest

from rtpacs.services.access_log import LogQuery
from rtpacs.services.desk import DecisionQuery, Query
from tests.contract.filling import Sender, a_person
from tests.unit.archive.test_echo import a_node
from tests.unit.rules.builders import an_rt_set
from tests.web.conftest import SAME_ORIGIN, signed_in
from tests.web.test_projects import PASSWORD, Site, post, site

__all__ = ["site"]
NODE = {"aet": "MONACO", "center": "LAKE", "networks": "198.51.100.7", "may": "store"}


def shown(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_a_node_is_edited_in_the_form_that_shows_it(desk, administrator):
    """All fields come filled in; what is sent replaces them, and a mistake is told."""
    page = administrator.get("/senders/nodes/nd2").text
    assert 'value="MONACO"' in page
    assert 'value="198.51.100.7"' in page
    fields = NODE | {"host": "198.51.100.7", "port": "104", "may": ["store", "receive"]}
    assert "The node is saved." in post(administrator, "/senders/nodes/nd2", **fields)
    changed = desk.directory.nodes()[1]
    assert (changed.port, changed.may_store, changed.may_receive) == (104, True, True)
    text = post(administrator, "/senders/nodes/nd2", **fields | {"networks": "192.0.2.0/99"})
    assert "192.0.2.0/99 is no address" in text
    assert desk.directory.nodes()[1] == changed
    assert administrator.get("/senders/nodes/nd99").status_code == 404


def test_a_node_is_deactivated_and_keeps_what_is_known_of_it(desk, administrator):
    before = desk.directory.nodes()[0]
    text = shown(post(administrator, "/senders/nodes/nd1/deactivate"))
    assert "deactivated" in text
    assert desk.directory.nodes()[0] == replace(before, may_store=False, may_query=False)
    assert "Deactivate ECLIPSE" not in text


def test_removal_asks_for_the_name_and_says_what_stands_against_it(desk, administrator):
    """Nothing goes without the typed name, and nothing that has data."""
    for path, confirm, reason in (
        ("/senders/nodes/nd2/remove", "", "Type MONACO to confirm"),
        ("/senders/nodes/nd1/remove", "ECLIPSE", "412 objects that it sent"),
        ("/senders/centers/LAKE/remove", "NORTH", "Type LAKE to confirm"),
        ("/senders/centers/LAKE/remove", "LAKE", "66 patients"),
    ):
        assert reason in post(administrator, path, confirm=confirm), path
    assert len(desk.directory.nodes()) == len(desk.directory.centers()) == 2
    post(administrator, "/senders/nodes/nd2/remove", confirm="MONACO")
    assert [row.aet for row in desk.directory.nodes()] == ["ECLIPSE"]
    desk.directory.add_center("HILL", "Hill")
    assert "Hill Hospital" in post(administrator, "/senders/centers/HILL", name="Hill Hospital")
    post(administrator, "/senders/centers/HILL/remove", confirm="HILL")
    assert [row.code for row in desk.directory.centers()] == ["NORTH", "LAKE"]
    assert administrator.get("/senders/centers/HILL").status_code == 404


def test_one_node_is_tested_and_says_beside_it_what_it_answered(site: Site):
    """With a real node: asked for, waited for, answered, then switched off."""
    root = site.browser("root")
    with a_node(aet="PACS") as port:
        fields = {"aet": "PACS", "center": "SOUTH", "networks": "127.0.0.1", "host": "127.0.0.1"}
        post(root, "/senders/nodes", **fields, port=port, may="store")
        row = next(item for item in site.desk.directory.nodes() if item.aet == "PACS")
        assert "not tested yet" in root.get("/senders").text
        post(root, f"/senders/nodes/{row.id}/test")
        page = root.get("/senders").text
        assert "testing" in shown(page)
        assert f'hx-select="#echo-{row.id}"' in page
        tests = site.application.watching.reachability()
        assert tests.test_when_due() == 1
        page = root.get("/senders").text
        assert "reachable" in shown(page)
        assert "hx-trigger" not in page.split(f'id="echo-{row.id}"')[1].split(">")[0]
        assert site.application.clock().isoformat()[:16] in page.split(f"echo-{row.id}")[1]
    post(root, f"/senders/nodes/{row.id}/test")
    tests.test_when_due()
    assert "not reachable no connection" in shown(root.get("/senders").text)


def asking(site: Site, name: str, under: str = "nodes"):
    """A script of an account, on one path after the other: status and JSON."""
    client = site.app.test_client()
    given = client.post("/api/v1/token", json={"username": name, "password": PASSWORD}).get_json()
    headers = {"Authorization": f"Bearer {given['access_token']}"}

    def ask(method: str, path: str = "", **values: object):
        answer = client.open(f"/api/v1/{under}{path}", method=method, json=values, headers=headers)
        return answer.status_code, answer.get_json(silent=True)

    return ask


def test_scripts_do_with_nodes_what_the_page_does(site: Site):
    """Added, changed, tested, deactivated, removed; what is wrong is told and changes nothing."""
    ask = asking(site, "root")
    node = {"aet": "PACS", "center_code": "SOUTH", "host": "127.0.0.1", "may_receive": True}
    with a_node(aet="PACS") as port:
        status, row = ask("POST", **node, port=port)
        assert (status, row["networks"], row["may_store"]) == (200, ["127.0.0.1"], False)
        path = f"/{row['id']}"
        assert ask("POST", f"{path}/test")[1]["is_asked"]
        site.application.watching.reachability().test_when_due()
        state = ask("GET", path)[1]
        assert (state["node"], state["ok"], state["is_asked"]) == (row, True, False)
    networks = ["192.0.2.0/24", "127.0.0.1"]
    changed = ask("PUT", path, **node, port=104, networks=networks, may_store=True)[1]
    assert changed == row | {"port": 104, "networks": networks[::-1], "may_store": True}
    for wrong, expected in (
        ({"networks": ["192.0.2.0/99"]}, 422),
        ({"port": 70000}, 422),
        ({"host": "pacs\0"}, 422),
        ({"aet": "NODE\\X"}, 422),
        ({"center_code": "NOWHERE"}, 404),
    ):
        for method, where in (("PUT", path), ("POST", "")):
            assert ask(method, where, **(node | {"port": 104} | wrong))[0] == expected, wrong
    idle = {"may_store": False, "may_query": False, "may_receive": False}
    assert ask("POST", f"{path}/deactivate")[1] == changed | idle
    assert ask("DELETE", path) == (204, None)
    for method, where in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test")):
        assert ask(method, path + where, **node, port=104)[0] == 404
    sender = next(row for row in ask("GET")[1]["items"] if row["center_code"] == "NORTH")
    assert ask("DELETE", f"/{sender['id']}")[0] == 409
    site.desk.recorder.flush()
    done = [row.what for row in site.desk.access_log.page(LogQuery(who="root")).items]
    assert "DELETE /api/v1/nodes/<node_id>: PACS of SOUTH" in done
    assert "POST /api/v1/nodes: PACS of SOUTH" in done


@pytest.mark.parametrize("name", ["boss", "lead", "guest"])
def test_scripts_of_others_do_nothing_with_nodes(site: Site, name):
    ask = asking(site, name)
    path = f"/{site.desk.directory.nodes()[0].id}"
    node = {"aet": "PACS", "center_code": "SOUTH", "may_query": True}
    for method, where in (
        ("GET", ""), ("POST", ""), ("GET", path), ("PUT", path), ("DELETE", path),
        ("POST", f"{path}/test"), ("POST", f"{path}/deactivate"),
    ):  # fmt: skip
        assert ask(method, where, **node)[0] == 403, where
    assert site.desk.directory.nodes()[0].may_store


@pytest.mark.parametrize("path", ["", "/remove", "/test", "/deactivate"])
def test_only_administrators_change_nodes(app, path):
    client = signed_in(app, "physics")
    answer = client.post(f"/senders/nodes/nd2{path}", data=NODE, headers=SAME_ORIGIN)
    assert answer.status_code == 403


@pytest.fixture
def waiting(site: Site) -> dict[str, str]:
    """Ids by reason: two objects of a stranger, and two of a known node without a number."""
    site.filling.send(an_rt_set()[-2:], sender=Sender(aet="NOBODY", address="203.0.113.9"))
    site.filling.send(an_rt_set()[-2:], patient=a_person("", "Secret^Name"))
    return {row.reason: row.id for row in site.desk.quarantine.waiting()}


def test_scripts_say_where_what_waits_belongs(site: Site, waiting: dict[str, str]):
    """Assigned, and given a number, as on the page; an unknown center or row is told."""
    ask = asking(site, "root", "quarantine")
    page = ask("GET")[1]
    assert (page["total"], "Secret" in str(page)) == (2, False)
    stranger = f"/{waiting['unknown sender']}/assign"
    assert ask("POST", stranger, center="NOWHERE", reason="typing error")[0] == 404
    assert ask("POST", stranger, center="SOUTH")[0] == 422
    assert ask("POST", stranger, center="SOUTH", reason="its new CT") == (204, None)
    assert ask("POST", stranger, center="SOUTH", reason="again")[0] == 404
    nobody = f"/{waiting['no patient number']}/patient-number"
    assert ask("POST", nobody, patient_id=" ")[0] == 422
    assert ask("POST", nobody, patient_id="4712") == (204, None)
    assert ask("GET")[1]["total"] == 0
    found = {
        (row.center_code, row.patient_id) for row in site.desk.catalogue.patients(Query()).items
    }
    assert {("NORTH", "4711"), ("NORTH", "4712")} < found
    (decision,) = site.desk.decision_lists.decisions(DecisionQuery(senders=True)).items
    assert (decision.author, decision.reason) == ("root", "its new CT")


@pytest.mark.parametrize("name", ["boss", "lead", "guest"])
def test_scripts_of_others_see_and_move_nothing_that_waits(
    site: Site, waiting: dict[str, str], name: str
):
    ask = asking(site, name, "quarantine")
    stranger, nobody = waiting["unknown sender"], waiting["no patient number"]
    assert ask("GET")[0] == 403
    assert ask("POST", f"/{stranger}/assign", center="NORTH", reason="mine")[0] == 403
    assert ask("POST", f"/{nobody}/patient-number", patient_id="4712")[0] == 403
    assert len(site.desk.quarantine.waiting()) == 2
