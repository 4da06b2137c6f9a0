"""The last administrator stays: by page, REST and command, and when two ask at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from click.testing import CliRunner

from rtpacs.cli.accounts import user
from rtpacs.errors import StateError
from rtpacs.rules.access import AccountRole
from rtpacs.services.desk import NewAccount
from tests.web.conftest import SAME_ORIGIN
from tests.web.test_projects import PASSWORD, Site, post, site

__all__ = ["site"]
ADMINISTRATOR = AccountRole.ADMINISTRATOR
# Demoted, deactivated, both.
ENDS = (("member", True), ("administrator", False), ("member", False))
ROUNDS = 3


def administrators(site: Site) -> list[str]:
    rows = site.desk.accounts.all()
    return [row.name for row in rows if row.active and ADMINISTRATOR in row.roles]


def script(site: Site, name: str) -> dict[str, str]:
    answer = site.app.test_client().post(
        "/api/v1/token", json={"username": name, "password": PASSWORD}
    )
    return {"Authorization": f"Bearer {answer.get_json()['access_token']}"}


@pytest.mark.parametrize(("role", "active"), ENDS)
def test_a_page_keeps_the_last_administrator(site: Site, role, active):
    fields = {"role": role} | ({"active": "on"} if active else {})
    assert "last administrator" in post(site.browser("root"), "/users/root", **fields)
    assert administrators(site) == ["root"]


@pytest.mark.parametrize(("role", "active"), ENDS)
def test_rest_keeps_the_last_administrator(site: Site, role, active):
    """409 with the reason."""
    answer = site.app.test_client().put(
        "/api/v1/users/root",
        json={"roles": [role], "active": active},
        headers=script(site, "root"),
    )
    assert (answer.status_code, "last administrator" in answer.text) == (409, True)
    assert administrators(site) == ["root"]


@pytest.mark.parametrize(("role", "active"), ENDS)
def test_a_command_keeps_the_last_administrator(site: Site, monkeypatch, role, active):
    monkeypatch.setenv("RTPACS_HOME", str(site.application.settings.home))
    arguments = ["change", "root", "--role", role, *([] if active else ["--inactive"])]
    with pytest.raises(StateError, match="last administrator"):
        CliRunner().invoke(user, arguments, catch_exceptions=False)
    assert administrators(site) == ["root"]


def test_nothing_removes_an_account(site: Site):
    """Deactivation instead: neither a page nor a script has another way."""
    headers = script(site, "root") | SAME_ORIGIN
    for path in ("/users/root", "/api/v1/users/root"):
        answer = site.app.test_client().delete(path, headers=headers)
        assert answer.status_code == 405
    assert site.app.test_client().post("/users/root/remove", headers=headers).status_code == 404
    assert "remove" not in user.commands
    assert administrators(site) == ["root"]


def test_of_two_administrators_who_end_each_other_at_once_one_stays(site: Site):
    """One by the page, one by REST, each the other, again and again."""
    both = {name: frozenset({ADMINISTRATOR}) for name in ("root", "twin")}
    site.desk.accounts.add(NewAccount(name="twin", roles=both["twin"]), PASSWORD)
    for role, active in ENDS * ROUNDS:
        browser, headers, at_once = site.browser("root"), script(site, "twin"), Barrier(2)
        fields = {"role": role} | ({"active": "on"} if active else {})
        body = {"roles": [role], "active": active}

        def ask(client, at_once=at_once, **request) -> None:
            at_once.wait()
            client.open(**request)

        page = {"method": "POST", "path": "/users/twin", "data": fields, "headers": SAME_ORIGIN}
        rest = {"method": "PUT", "path": "/api/v1/users/root", "json": body, "headers": headers}
        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(ask, browser, **page)]
            asked.append(pool.submit(ask, site.app.test_client(), **rest))
        assert [each.result() for each in asked] == [None, None]
        assert len(administrators(site)) == 1
        for name, roles in both.items():
            site.desk.accounts.change(name, roles=roles, center_code=None, active=True)
