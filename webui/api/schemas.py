"""Schemas made from the annotations of our values, so that the OpenAPI document cannot drift."""

import types
import typing
from collections.abc import Sequence
from dataclasses import is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from marshmallow import Schema, fields, validate

from rtpacs.rules.decisions import RELATIONS, DecisionKind
from rtpacs.rules.jobs import JobState
from rtpacs.rules.plan_sets import PlanSetState, QuestionKind, TreatmentStatus
from rtpacs.rules.recalculation import Scope
from rtpacs.rules.selection import MOST_ITEMS
from rtpacs.rules.transfers import SendState
from rtpacs.services.remote import LONGEST_NUMBER, MOST_NUMBERS, MOST_STUDIES

LARGEST_PAGE = 500
PLAIN = {
    str: fields.String,
    bool: fields.Boolean,
    int: fields.Integer,
    float: fields.Float,
    datetime: fields.AwareDateTime,
}


class Numbers(fields.List[Any]):
    """A long list of numbers, written without a look at each."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> list[Any] | None:
        return None if value is None else list(value)


@cache
def schema_of(annotation: Any) -> type[Schema]:
    """The schema of a dataclass, or of one item type of a generic dataclass.

    Raises
    ------
    TypeError
        A field has an annotation that JSON does not know.
    """
    origin = typing.get_origin(annotation) or annotation
    inner = typing.get_args(annotation)
    given = dict(zip(getattr(origin, "__parameters__", ()), inner, strict=False))
    hints = typing.get_type_hints(origin)
    name = "".join(part.__name__ for part in inner) + origin.__name__
    made = {key: field_of(given.get(hint, _bind(hint, given))) for key, hint in hints.items()}
    return Schema.from_dict(typing.cast(Any, made), name=name)


def _bind(hint: Any, given: dict[Any, Any]) -> Any:
    """Put the item type into ``tuple[T, ...]``."""
    parameters = getattr(hint, "__parameters__", ())
    return hint[tuple(given[item] for item in parameters)] if parameters and given else hint


def field_of(annotation: Any, *, allow_none: bool = False) -> fields.Field[Any]:
    """The marshmallow field of one annotation."""
    if isinstance(annotation, typing.NewType):
        annotation = annotation.__supertype__
    common: dict[str, Any] = {"required": True, "allow_none": allow_none}
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        (kept,) = [item for item in inner if item is not type(None)]
        return field_of(kept, allow_none=True)
    if origin is dict:
        return fields.Dict(**common)
    if origin is tuple:
        return _tuple_field(inner, common)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return fields.Enum(annotation, by_value=True, **common)
    if annotation in PLAIN:
        return _plain(annotation, common)
    if is_dataclass(origin or annotation):
        return fields.Nested(schema_of(annotation), **common)
    raise TypeError(f"no JSON for {annotation}")


def _plain(annotation: type, common: dict[str, Any]) -> fields.Field[Any]:
    made: fields.Field[Any] = PLAIN[annotation](**common)
    return made


def _tuple_field(inner: Sequence[Any], common: dict[str, Any]) -> fields.Field[Any]:
    """A list; one of mixed items (a value with its count) is an array of its fixed length."""
    if Ellipsis in inner:
        kind = Numbers if inner[0] is float else fields.List
        return kind(field_of(inner[0]), **common)
    if len(set(inner)) == 1:
        length = validate.Length(equal=len(inner))
        return fields.List(field_of(inner[0]), validate=length, **common)
    fixed = {"type": "array", "items": {}, "minItems": len(inner), "maxItems": len(inner)}
    return fields.Tuple([field_of(item) for item in inner], metadata=fixed, **common)


class PageQuery(Schema):
    """Which part of a list."""

    offset = fields.Integer(load_default=0, validate=validate.Range(0, 10_000_000))
    limit = fields.Integer(load_default=50, validate=validate.Range(1, LARGEST_PAGE))


class SearchQuery(PageQuery):
    """Search by words and center."""

    q = fields.String(load_default="", validate=validate.Length(max=200))
    center = fields.String(load_default="", validate=validate.Length(max=64))


class FilterQuery(SearchQuery):
    """Search with filters; ``modality`` may come several times, and each must be there."""

    date_from = fields.Date(load_default=None)
    date_to = fields.Date(load_default=None)
    modality = fields.List(
        fields.String(validate=validate.Length(1, 16)),
        load_default=(),
        validate=validate.Length(max=8),
    )
    rx_from = fields.Float(load_default=None)
    rx_to = fields.Float(load_default=None)
    structure = fields.String(load_default="", validate=validate.Length(max=64))
    tps = fields.String(load_default="", validate=validate.Length(max=64))
    approval = fields.String(load_default="", validate=validate.Length(max=64))
    treatment = fields.String(
        load_default="", validate=validate.OneOf(["", *(str(item) for item in TreatmentStatus)])
    )


class PlanSetQuery(FilterQuery):
    """Search of plan sets."""

    state = fields.String(
        load_default="", validate=validate.OneOf(["", *(str(state) for state in PlanSetState)])
    )
    plan_uid = fields.String(load_default="", validate=validate.Length(max=64))
    quiet_since = fields.Date(
        load_default=None,
        metadata={"description": "Nothing of the patient arrived on this day (UTC) or later"},
    )


class QuestionsQuery(SearchQuery):
    """Open questions; without a kind all but those on treatment status."""

    kind = fields.String(
        load_default="", validate=validate.OneOf(["", *(str(kind) for kind in QuestionKind)])
    )
    plan_set_id = fields.String(load_default="", validate=validate.Length(max=64))
    series_id = fields.String(load_default="", validate=validate.Length(max=64))


class DecisionsQuery(PageQuery):
    """Decisions, the newest first."""

    kind = fields.String(
        load_default="", validate=validate.OneOf(["", *(str(kind) for kind in DecisionKind)])
    )
    center = fields.String(load_default="", validate=validate.Length(max=64))


class DecisionRequest(Schema):
    """A decision to make; ``plan_set_id`` stands for center and subject of its plan.

    ``series_id`` with kind ``version`` decides for all images of a series that came with several
    contents: ``target`` is ``first`` or ``last``. ``seen`` is the id of the newest decision on
    the same, null for none, or what the answer to a question says.
    """

    kind = fields.String(
        required=True,
        validate=validate.OneOf([str(k) for k in DecisionKind if k is not DecisionKind.SENDER]),
    )
    plan_set_id = fields.String(validate=validate.Length(max=64))
    series_id = fields.String(validate=validate.Length(max=64))
    center = fields.String(validate=validate.Length(max=64))
    subject = fields.String(validate=validate.Length(max=200))
    relation = fields.String(validate=validate.OneOf([str(kind) for kind in RELATIONS]))
    target = fields.String(validate=validate.Length(max=200))
    registration = fields.String(validate=validate.Length(max=200))
    targets = fields.List(fields.Nested(lambda: TargetRequest()))
    fractions = fields.Integer(validate=validate.Range(1, 200))
    status = fields.String(validate=validate.OneOf([str(item) for item in TreatmentStatus]))
    date = fields.String(validate=validate.Length(max=10))
    reason = fields.String(required=True, validate=validate.Length(1, 500))
    seen = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=64))


class TargetRequest(Schema):
    """One target of a prescription."""

    name = fields.String(required=True, validate=validate.Length(1, 200))
    dose_gy = fields.Float(required=True)
    roi_number = fields.Integer(load_default=None, allow_none=True)


class UndoRequest(Schema):
    """Why a decision is taken back."""

    reason = fields.String(load_default="", validate=validate.Length(max=500))


class RemovalPreviewRequest(Schema):
    """Which data; ``uid`` of a study, series or object narrows it."""

    center = fields.String(required=True, validate=validate.Length(1, 64))
    number = fields.String(required=True, validate=validate.Length(1, 128))
    issuer = fields.String(load_default="", validate=validate.Length(max=64))
    uid = fields.String(load_default="", validate=validate.Length(max=128))


class RemovalRequestBody(RemovalPreviewRequest):
    """A removal to begin; ``confirm`` repeats the patient's number."""

    confirm = fields.String(required=True, validate=validate.Length(1, 128))
    reason = fields.String(required=True, validate=validate.Length(1, 500))


class JobQuery(PageQuery):
    """Jobs of one state."""

    state = fields.String(
        load_default="",
        validate=validate.OneOf(["", *(str(state) for state in JobState), "retrying"]),
    )


class LogSearch(PageQuery):
    """Rows of the access log, the newest first."""

    who = fields.String(load_default="", validate=validate.Length(max=64))
    patient = fields.String(load_default="", validate=validate.Length(max=32))


class TransferObjectsQuery(PageQuery):
    """Objects of a transfer in one state."""

    state = fields.String(
        load_default="", validate=validate.OneOf(["", *(str(state) for state in SendState)])
    )


class DownloadRequest(Schema):
    """What is to be saved; an item is a level and an id, such as ``series:1f3a``."""

    items = fields.List(
        fields.String(validate=validate.Length(1, 80)),
        required=True,
        validate=validate.Length(1, MOST_ITEMS),
    )


class QueryRequest(Schema):
    """Which node is asked for what; at least numbers, a name or a date."""

    node = fields.String(required=True, validate=validate.Length(1, 64))
    numbers = fields.List(
        fields.String(validate=validate.Length(1, LONGEST_NUMBER)),
        load_default=list,
        validate=validate.Length(max=MOST_NUMBERS),
    )
    name = fields.String(load_default="", validate=validate.Length(max=64))
    date_from = fields.Date(load_default=None, allow_none=True)
    date_to = fields.Date(load_default=None, allow_none=True)
    modality = fields.String(load_default="", validate=validate.Length(max=16))


class FetchRequest(Schema):
    """Which studies of an answer are to come, by their numbers in it."""

    studies = fields.List(
        fields.Integer(strict=True, validate=validate.Range(0, 2**31 - 1)),
        required=True,
        validate=validate.Length(1, MOST_STUDIES),
    )


class SendRequest(DownloadRequest):
    """What is to go where."""

    nodes = fields.List(
        fields.String(validate=validate.Length(1, 64)),
        required=True,
        validate=validate.Length(1, 100),
    )
    reason = fields.String(load_default="", validate=validate.Length(max=500))


class RecalculationRequest(Schema):
    """What is to be calculated again."""

    scope = fields.Enum(Scope, by_value=True, required=True)


class CurveQuery(Schema):
    """Whether whole curves are wanted beside the metrics."""

    curves = fields.Boolean(load_default=False)


class TokenRequest(Schema):
    """Name and password of an account."""

    username = fields.String(required=True, validate=validate.Length(1, 200))
    password = fields.String(required=True, validate=validate.Length(1, 200))


class Problem(Schema):
    """Problem details (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    reference = fields.String(required=True)
    errors = fields.Dict()
