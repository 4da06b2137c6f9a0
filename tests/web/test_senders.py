"""Nodes and centers are changed, tested, deactivated and removed; what has data stays."""

import re
from dataclasses import replace

import pytest

from tests.unit.archive.test_echo import a_node
from tests.web.conftest import SAME_ORIGIN, signed_in
from tests.web.test_projects import Site, post, site

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


@pytest.mark.parametrize("path", ["", "/remove", "/test", "/deactivate"])
def test_only_administrators_change_nodes(app, path):
    client = signed_in(app, "physics")
    answer = client.post(f"/senders/nodes/nd2{path}", data=NODE, headers=SAME_ORIGIN)
    assert answer.status_code == 403
