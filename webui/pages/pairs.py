"""DVHs of one structure set with one dose: the page, the data of its plot, and the spreadsheet."""

from typing import TypedDict

from flask import (
    Blueprint,
    Response,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from rtpacs.services.views import CalculationView
from webui.callers import desk
from webui.dvh_svg import dvh_svg
from webui.pages.auth import own_path
from webui.plot import dose_unit, only, plot_data, spreadsheet
from webui.policy import Need, needs
from webui.readings import Asked, asked_in, heading, readings, volume_table
from webui.structures import METRICS, Group, Metric, StructureLine, grouped, lines

blueprint = Blueprint("pairs", __name__)


class DvhContext(TypedDict):
    """What the DVH part of a page needs."""

    view: CalculationView | None
    groups: list[tuple[Group, list[StructureLine]]]
    unit: str
    metrics: tuple[Metric, ...]
    shown: str
    asked: Asked
    headings: tuple[str, ...]


@blueprint.get("/pairs/<pair_id>")
@needs(Need.PATIENTS)
def pair(pair_id: str) -> str:
    """A structure set with a dose whose plan is not here."""
    return render_template("pair.html", **dvh_context(desk().doses.calculation(pair_id)))


@blueprint.post("/pairs/<pair_id>/recalculate")
@needs(Need.PATIENTS)
def recalculate(pair_id: str) -> BaseResponse:
    """Calculate the DVHs again; what is shown stays until then."""
    view = desk().doses.calculation(pair_id)
    desk().recalculations.again(view.pair_id)
    flash("The DVHs will be calculated again.", "ok")
    return redirect(
        own_path(request.form.get("next")) or url_for("pairs.pair", pair_id=pair_id), 303
    )


@blueprint.get("/pairs/<pair_id>/plot.json")
@needs(Need.PATIENTS)
def plot(pair_id: str) -> Response:
    """All curves of a pair on one dose axis."""
    view = desk().doses.calculation(pair_id)
    return jsonify(plot_data(view, desk().doses.curves(pair_id)))


@blueprint.get("/pairs/<pair_id>/dvh.csv")
@needs(Need.PATIENTS)
def table(pair_id: str) -> Response:
    """The chosen curves as a spreadsheet."""
    view = desk().doses.calculation(pair_id)
    text = spreadsheet(view, only(desk().doses.curves(pair_id), chosen_numbers()))
    # Spreadsheets take UTF-8 for granted only after a byte order mark.
    answer = Response("\ufeff" + text, mimetype="text/csv")
    # Without a name here the browser takes that of the link, which is the plan's.
    answer.headers["Content-Disposition"] = "attachment"
    return answer


@blueprint.get("/pairs/<pair_id>/dvh.svg")
@needs(Need.PATIENTS)
def drawing(pair_id: str) -> Response:
    """The chosen curves as a drawing made on the server."""
    view = desk().doses.calculation(pair_id)
    drawn = dvh_svg(view, only(desk().doses.curves(pair_id), chosen_numbers()))
    return Response(drawn, mimetype="image/svg+xml")


@blueprint.get("/pairs/<pair_id>/volumes")
@needs(Need.PATIENTS)
def volumes(pair_id: str) -> str:
    """V1 Gy to V100 Gy of all structures as one table."""
    view = desk().doses.calculation(pair_id)
    percent = request.args.get("unit") == "percent"
    table = volume_table(view, percent=percent)
    return render_template("volumes.html", view=view, table=table, percent=percent)


def chosen_numbers() -> list[int] | None:
    """The curves that the URL asks for (``show=2,5`` or ``show=2&show=5``); None: the default."""
    given = request.args.getlist("show")
    if not given:
        return None
    parts = [part.strip() for value in given for part in value.split(",")]
    return [int(part) for part in parts if part.isdigit() and len(part) < 10]


def dvh_context(view: CalculationView | None) -> DvhContext:
    """Structures, units, and the numbers of the curves to draw."""
    if view is None:
        return DvhContext(
            view=None,
            groups=[],
            unit="Gy",
            metrics=METRICS,
            shown="",
            asked=asked_in(""),
            headings=(),
        )
    relative = view.dose_units == "RELATIVE"
    asked = asked_in("" if relative else request.args.get("read", ""))
    read = readings(view, desk().doses.curves(view.pair_id), asked.metrics) if asked.metrics else {}
    made = lines(view, chosen_numbers(), read)
    return DvhContext(
        view=view,
        groups=grouped(made),
        unit=dose_unit(view),
        metrics=METRICS,
        shown=",".join(str(line.dvh.number) for line in made if line.shown),
        asked=asked,
        headings=tuple(heading(metric) for metric in asked.metrics),
    )
