"""``docs/guard.md`` names what there is: routes, searchable attributes, files of tests."""

import re

from rtpacs.rules.queries import ATTRIBUTES, Fit
from rtpacs.rules.routes import ROUTES
from rtpacs.settings import CHECKOUT

GUARD = (CHECKOUT / "docs" / "guard.md").read_text(encoding="utf-8")
TABLE = GUARD.split("## What there is")[1].split("## How")[0]


def test_every_kind_of_route_to_orthanc_is_in_the_table():
    """By its last word, which tells kinds apart."""
    for route in ROUTES:
        last = re.sub(r"/?\{\w+\}$", "", route.path).rsplit("/", 1)[-1]
        known = {"raw": "raw frames", "raw.gz": "raw frames", "matlab": "raw frames"}
        known |= {"image-int16": "16-bit pictures", "image-uint16": "16-bit pictures"}
        assert known.get(last, last) in TABLE, route.path


def test_every_matched_attribute_is_named():
    """A node's administrator reads which keys work."""
    for attribute in ATTRIBUTES:
        assert (attribute.keyword in GUARD) == (attribute.fit is not Fit.NEVER)


def test_the_tests_that_it_names_exist():
    """A renamed test leaves no hole in the table."""
    names = set(re.findall(r"`(test_\w+)(?:\.py)?…?`", GUARD))
    assert len(names) >= 6
    sources = {path.stem: path.read_text() for path in (CHECKOUT / "tests").rglob("test_*.py")}
    for name in names:
        assert name in sources or any(f"def {name}" in text for text in sources.values()), name
