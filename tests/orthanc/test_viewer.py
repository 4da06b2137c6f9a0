"""From the TPS's export to pictures, nobody clicking."""

import numpy as np

from tests.builders import to_bytes
from tests.builders.phantom import a_phantom, dose_gy, image_value
from tests.builders.plans import a_photon_plan
from tests.live import unique_uid


def send_phantom(system, folder) -> dict:
    """The phantom with a plan, as a patient of its own; its plan set."""
    images, structures, dose = a_phantom("HFP")
    number = f"V{unique_uid()[-8:]}"
    paths = []
    for place, dataset in enumerate([*images, structures, a_photon_plan(), dose]):
        dataset.PatientID = number
        paths.append(folder / f"{place:02d}.dcm")
        paths[-1].write_bytes(to_bytes(dataset))
    system.send(paths)
    system.settle()
    rows = system.items("plan-sets", user="physicist@NORTH")
    (row,) = [item for item in rows if item["patient"]["patient_id"] == number]
    return row


def test_a_sent_plan_can_be_looked_at(system, tmp_path):
    """The pack is ready when the jobs are done; its values are those of the phantom."""
    row = send_phantom(system, tmp_path)
    browser = system.browser("physicist@NORTH")
    view = browser.get(f"{system.url}/viewer/plans/{row['id']}/view.json").json()
    assert view["pack"]["ready"]

    base = system.url + view["pack"]["base"]
    meta = browser.get(f"{base}meta.json").json()
    axes = [np.array(meta["image"][axis]) for axis in ("z_mm", "y_mm", "x_mm")]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    # requests undoes the compression, as browsers do.
    stored = b"".join(browser.get(base + name).content for _, _, name in meta["image"]["chunks"])
    values = np.frombuffer(stored, "<i2") * meta["image"]["slope"] + meta["image"]["intercept"]
    places = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)
    np.testing.assert_array_equal(values, image_value(places))

    (dose,) = meta["doses"]
    answer = browser.get(base + dose["file"])
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    highest = np.frombuffer(answer.content, "<f4").max()
    assert abs(highest - dose_gy(np.array(dose["max_at_mm"]))) < 1e-3


def test_a_stranger_finds_neither_page_nor_pack(system, tmp_path):
    """Another center's physicist: not there, whatever address they have."""
    row = send_phantom(system, tmp_path)
    address = f"{system.url}/viewer/plans/{row['id']}"
    view = system.browser("physicist@NORTH").get(f"{address}/view.json").json()
    stranger = system.browser("physicist@STRANGE")
    for path in (address, f"{address}/view.json", f"{address}/slices"):
        assert stranger.get(path).status_code in (403, 404)
    tag = {"If-None-Match": f'"{view["pack"]["base"].split("/")[-2]}-meta.json"'}
    for name in ("meta.json", "contours"):
        part = f"{system.url}{view['pack']['base']}{name}"
        assert stranger.get(part).status_code in (403, 404)
        assert stranger.get(part, headers=tag).status_code in (403, 404)
