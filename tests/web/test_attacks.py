"""Rows D9 to D11 of the access matrix: scripts in names, formulas in CSV, hosts that users name."""

import csv
import io
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle, product

import pytest
from playwright.sync_api import Page as Tab

from rtpacs.rules.spreadsheets import FORMULA_STARTS
from rtpacs.services.desk import Query
from tests.web import fakes
from tests.web.conftest import SAME_ORIGIN, signed_in
from tests.web.test_browser import browser, served, session_of  # noqa: F401 - a fixture
from webui import create_app
from webui.api.endpoints import ENDPOINTS
from webui.policy import Need

ACT = "document.documentElement.dataset.hit=1"
VECTORS = (
    f"<script>{ACT}</script>",
    f'<img src=x onerror="{ACT}">',
    f'<svg onload="{ACT}">',
    f'<svg><animate onbegin="{ACT}" attributeName=x dur=1s>',
    f"<iframe srcdoc='<script>parent.{ACT}</script>'></iframe>",
    f'<details open ontoggle="{ACT}">',
    f'<input autofocus onfocus="{ACT}">',
    f'<a href="javascript:{ACT}">x</a>',
    f'<math><mtext></p><img src=x onerror="{ACT}">',
    f"{{{{ 7*7 }}}}${{{ACT}}}`-{ACT}-`",
)
WRAPPERS = ("{}", '">{}', "'>{}", "</title></textarea></script>{}")
PAYLOADS = tuple(wrapper.format(vector) for wrapper, vector in product(WRAPPERS, VECTORS))
FORMULAS = tuple(f"{before}{start}1+1" for before, start in product(("", "\ufeff"), FORMULA_STARTS))
HOSTS = (
    "127.0.0.1",
    "localhost",
    "0.0.0.0",
    "169.254.169.254",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "2130706433",
    "0x7f000001",
    "127.0.0.1.nip.io",
    "http://127.0.0.1@example.org",
)


class Doses(fakes.FakeDoses):
    """A DVH for each text, with warnings of that text, and an error."""

    def __init__(self, texts):
        super().__init__()
        self.texts = texts

    def calculation(self, pair_id):
        view = super().calculation(pair_id)
        rows = tuple(
            replace(row, number=number, name=text, warnings=(text,))
            for number, (row, text) in enumerate(
                zip(cycle(view.dvhs), self.texts, strict=False), start=1
            )
        )
        return replace(view, dvhs=rows, error=self.texts[0])

    def curves(self, pair_id, numbers=None):
        made = super().curves(pair_id)[0]
        return [
            replace(made, number=number, name=text)
            for number, text in enumerate(self.texts, start=1)
            if numbers is None or number in numbers
        ]


class Catalogue(fakes.FakeCatalogue):
    """A patient and a plan for each text."""

    def __init__(self, texts):
        super().__init__()
        self.texts = texts

    def patients(self, query):
        first = super().patients(Query()).items[0]
        texts = self.texts[query.offset :]
        rows = tuple(replace(first, name=text, patient_id=text) for text in texts)
        return replace(super().patients(Query()), items=rows, total=len(self.texts))

    def plan_sets(self, query):
        first = super().plan_sets(Query()).items[0]
        rows = tuple(
            replace(first, label=text, tps=text, patient=replace(first.patient, name=text))
            for text in self.texts
        )
        return replace(super().plan_sets(Query()), items=rows, total=len(rows))

    def patient(self, patient_id):
        detail = super().patient(patient_id)
        row = replace(detail.row, name=self.texts[0], patient_id=self.texts[1])
        return replace(detail, row=row, objects=self._objects(detail))

    def plan_set(self, plan_set_id):
        detail = super().plan_set(plan_set_id)
        patient = replace(detail.row.patient, name=self.texts[0])
        row = replace(detail.row, label=self.texts[1], patient=patient, tps=self.texts[2])
        view = Doses(self.texts).calculation("pr1")
        return replace(detail, row=row, calculation=view, objects=self._objects(detail))

    def _objects(self, detail):
        found = zip(cycle(detail.objects), self.texts, strict=False)
        return tuple(replace(row, label=text) for row, text in found)


def a_desk(texts):
    """A desk at which everything that somebody else may name has these texts."""
    desk = fakes.a_desk()
    nodes = [replace(row, aet=text, host=text) for row, text in zip(
        cycle(desk.directory.known), texts, strict=False
    )]  # fmt: skip
    waiting = [replace(row, aet=text) for row, text in zip(
        cycle(desk.quarantine.rows), texts, strict=False
    )]  # fmt: skip
    desk.directory.known[:] = nodes
    desk.quarantine.rows[:] = waiting
    return replace(desk, catalogue=Catalogue(texts), doses=Doses(texts))


@pytest.fixture(scope="module")
def hostile_url() -> Iterator[str]:
    yield from served(a_desk(PAYLOADS))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("who", "address"),
    [
        ("physics", "/patients"),
        ("physics", "/patients/pt1"),
        ("physics", "/plans"),
        ("physics", "/plans/ps1"),
        ("physics", "/plans/ps1/links"),
        ("physics", "/pairs/pr4"),
        ("physics", "/upload"),
        ("admin", "/senders"),
        ("admin", "/to-decide"),
    ],
)
def test_d9_no_name_from_outside_runs(browser, hostile_url, who, address):  # noqa: F811
    """40 payloads in every text of the page: 0 run, and they stand there as text."""
    assert len(set(PAYLOADS)) == 40
    context = browser.new_context(storage_state=session_of(browser, hostile_url, who))
    tab = context.new_page()
    dialogs: list[str] = []
    tab.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    answer = tab.goto(f"{hostile_url}{address}", wait_until="networkidle")
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    if address == "/upload":
        _upload(tab)
    tab.wait_for_timeout(200)
    assert tab.evaluate("document.documentElement.dataset.hit") is None
    assert dialogs == []
    assert tab.locator("main iframe, main math, main animate, [onerror], [onload]").count() == 0
    assert "dataset.hit" in tab.locator("main").inner_text()
    context.close()


def _upload(tab: Tab) -> None:
    names = [payload.replace("/", "∕") for payload in PAYLOADS]  # noqa: RUF001 - no folders
    files = [{"name": name, "mimeType": "text/plain", "buffer": b"words"} for name in names]
    tab.set_input_files("input[name=file]", files)
    tab.locator("[data-results] tbody tr").nth(len(names) - 1).wait_for()


def test_d9_pictures_and_tables_hold_names_as_text():
    """SVG and CSV are no pages: no script in the drawing, and the CSV is not sniffed."""
    client = signed_in(create_app(a_desk(PAYLOADS)), "physics")
    drawn = client.get("/plans/ps1").get_data(as_text=True)
    for part in re.findall(r"<svg\b.*?</svg>", drawn, re.DOTALL):
        assert not re.search(r"<script|\son\w+\s*=|javascript:", part), part[:200]
    answer = client.get("/patients.csv")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.mimetype == "text/csv"


@pytest.mark.parametrize(
    ("who", "address"),
    [("physics", "/patients.csv"), ("physics", "/pairs/pr1/dvh.csv"), ("admin", "/access-log.csv")],
)
def test_d10_no_cell_of_a_csv_is_a_formula(who, address):
    """= + - @ TAB CR, full-width too, and after a byte order mark: all cells are quoted."""
    desk = a_desk(FORMULAS)
    client = signed_in(create_app(desk), who)
    if who == "admin":
        client.get("/access-log")
        desk.recorder.flush()
        desk.access_log.rows[:] = [
            replace(row, what=text, who=text)
            for row, text in zip(cycle(desk.access_log.rows), FORMULAS, strict=False)
        ]
    text = client.get(address).get_data(as_text=True).removeprefix("\ufeff")
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert sum(cell.startswith("'") for cell in cells) >= len(FORMULAS)
    numbers = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")
    for cell in cells:
        bare = cell.lstrip("\ufeff")
        assert not bare.startswith(FORMULA_STARTS) or numbers.fullmatch(bare), repr(cell)


@contextmanager
def a_listener() -> Iterator[socket.socket]:
    """A port of this machine that says whether anybody called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        yield server


@pytest.mark.parametrize("host", HOSTS)
def test_d11_who_is_no_administrator_has_nobody_called(app, desk, host):
    """Nodes are chosen by their id from the administrators' list: 0 connections elsewhere."""
    client = signed_in(app, "physics")
    with a_listener() as server:
        place = f"{host}:{server.getsockname()[1]}"
        for path, fields in (
            ("/send/start", {"item": "patient:pt1", "node": place}),
            ("/remote/ask", {"node": place, "name": "*"}),
            ("/nodes/test", {"node": place}),
            ("/senders/nodes", {"host": place, "aet": "X", "center": "NORTH"}),
        ):
            answer = client.post(path, data=fields, headers=SAME_ORIGIN)
            assert answer.status_code in (303, 403, 404, 405, 422), (path, answer.status)
        with pytest.raises(TimeoutError):
            server.accept()
    assert all(node.host != host for node in desk.directory.nodes())


def test_d11_only_administrators_have_a_field_for_a_host():
    """No schema that others may send has a host, an address or a URL."""
    named = re.compile("host|url|address|port$|callback|webhook", re.IGNORECASE)
    checked = 0
    for endpoint in ENDPOINTS:
        if endpoint.takes is None or endpoint.need is Need.ADMINISTER:
            continue
        fields = endpoint.takes().fields
        checked += len(fields)
        assert not [name for name in fields if named.search(name)], endpoint.path
    assert checked > 40
