"""A study with its series, a series with its objects, an object with links, history and tags."""

from flask import Blueprint, render_template, request

from rtpacs.errors import ArchiveError, DicomError, LimitExceededError, NotFoundError
from rtpacs.services.desk import QuestionQuery
from rtpacs.services.inspecting import ObjectDetail, TagList
from webui.asking import PAGE_SIZE, pager, whole
from webui.callers import desk
from webui.policy import Need, needs

blueprint = Blueprint("objects", __name__)


@blueprint.get("/studies/<study_id>")
@needs(Need.PATIENTS)
def study(study_id: str) -> str:
    """The plan sets, series and RT objects of one study."""
    return render_template("study.html", detail=desk().inspection.study(study_id))


@blueprint.get("/series/<series_id>")
@needs(Need.PATIENTS)
def series(series_id: str) -> str:
    """The objects of one series."""
    offset = whole("offset", 0, 0, 10_000_000)
    detail = desk().inspection.series(series_id, offset=offset, limit=PAGE_SIZE)
    asked = desk().decision_lists.questions(QuestionQuery(series_id=series_id, limit=1)).items
    return render_template(
        "series.html",
        detail=detail,
        pager=pager(detail.instances),
        question=asked[0] if asked else None,
    )


@blueprint.get("/objects/<object_id>")
@needs(Need.PATIENTS)
def one(object_id: str) -> str:
    """What an object refers to, where it came from and went, and its tags."""
    detail = desk().inspection.object(object_id)
    text = request.args.get("q", "").strip()[:100]
    found, error = _tags(detail, text)
    return render_template("object.html", detail=detail, found=found, error=error, text=text)


def _tags(detail: ObjectDetail, text: str) -> tuple[TagList | None, str]:
    """The tags, or why they cannot be shown: the rest of the page stands without them."""
    try:
        return desk().inspection.tags(detail, text), ""
    except (DicomError, LimitExceededError, ArchiveError, NotFoundError) as exc:
        return None, str(exc)
