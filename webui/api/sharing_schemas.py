"""Bodies of requests around projects, accounts and tokens."""

from marshmallow import Schema, fields, validate

from rtpacs.rules.access import TICKS, AccountRole, Action
from rtpacs.rules.projects import CODE, EntryKind

GIVEN_ROLES = [role for role in AccountRole if role is not AccountRole.NODE]
NAME = validate.Length(1, 64)
TEXT = validate.Length(max=2000)


def _end() -> fields.AwareDateTime:
    return fields.AwareDateTime(load_default=None, allow_none=True)


class ProjectChange(Schema):
    """What a project is and how long it lasts."""

    title = fields.String(required=True, validate=validate.Length(1, 200))
    description = fields.String(load_default="", validate=TEXT)
    legal_basis = fields.String(load_default="", validate=TEXT)
    expires_at = _end()
    may_download = fields.Boolean(load_default=False)


class NewProject(ProjectChange):
    """A project to make."""

    code = fields.String(required=True, validate=validate.Regexp(f"^{CODE.pattern}$"))


class MemberRequest(Schema):
    """Somebody who is to take part."""

    account = fields.String(required=True, validate=NAME)
    manages = fields.Boolean(load_default=False)


class CellRequest(Schema):
    """One cell of the permission matrix."""

    account = fields.String(required=True, validate=NAME)
    center = fields.String(required=True, validate=NAME)
    ticks = fields.List(fields.String(validate=validate.OneOf(list(TICKS))), required=True)
    expires_at = _end()


class GrantRequest(Schema):
    """Cells to set; one without ticks is taken away."""

    cells = fields.List(fields.Nested(CellRequest), required=True, validate=validate.Length(1, 500))


class DataRequest(Schema):
    """Data by name: a plan set's id or plan UID, a study's UID, a patient's id or number."""

    kind = fields.String(required=True, validate=validate.OneOf(list(EntryKind)))
    name = fields.String(required=True, validate=validate.Length(1, 200))
    center = fields.String(load_default="", validate=validate.Length(max=64))
    expires_at = _end()


class UserChange(Schema):
    """Roles, center and whether the account may sign in."""

    roles = fields.List(
        fields.Enum(AccountRole, by_value=True, validate=validate.OneOf(GIVEN_ROLES)),
        required=True,
    )
    center = fields.String(load_default=None, allow_none=True, validate=NAME)
    active = fields.Boolean(load_default=True)


class NewUser(UserChange):
    """An account to make."""

    name = fields.String(required=True, validate=NAME)
    password = fields.String(required=True, validate=validate.Length(12, 200))


class NewTokenRequest(Schema):
    """A personal token; no actions: all; no projects: all, and the own center's data."""

    name = fields.String(required=True, validate=NAME)
    expires_at = fields.AwareDateTime(required=True)
    actions = fields.List(fields.String(validate=validate.OneOf(list(Action))), load_default=list)
    projects = fields.List(fields.String(validate=NAME), load_default=list)
