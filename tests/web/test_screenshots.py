"""Every page has its picture, or `make screenshots` fails."""

import click
import pytest

from scripts.screenshots import FORMS, MAIN, MANUAL, NO_PAGE, require_pictures


def test_a_page_without_a_picture_is_a_failure_that_names_it() -> None:
    with pytest.raises(click.ClickException, match=r"No picture of remote\.one\."):
        require_pictures({"plans.plan", "remote.one"}, {"plans.plan"})
    require_pictures({"plans.plan"}, {"plans.plan", "jobs.listing"})


def test_exemptions_and_pictures_of_the_manual_are_routes(app) -> None:
    """A route that is renamed takes its exemption along."""
    routes = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert NO_PAGE.keys() | MANUAL.keys() | MAIN <= routes
    assert not NO_PAGE.keys() & MANUAL.keys()


def test_main_pages_are_seen_on_a_4k_screen_and_at_200_percent() -> None:
    shapes = {(form.width, form.height, form.zoom) for form in FORMS if form.takes("viewer.page")}
    assert {(3840, 2160, 1), (683, 384, 2)} < shapes
