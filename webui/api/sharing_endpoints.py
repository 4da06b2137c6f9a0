"""The part of the REST table on projects, accounts and tokens."""

from rtpacs.services.project_views import (
    EntryRow,
    EventRow,
    Holding,
    MatrixView,
    ProjectRow,
)
from rtpacs.services.views import AccountRow, Page, TokenRow
from webui.api import sharing
from webui.api.answers import MadeTokenAnswer
from webui.api.endpoint import Endpoint
from webui.api.schemas import PageQuery
from webui.api.sharing_schemas import (
    DataRequest,
    GrantRequest,
    MemberRequest,
    NewProject,
    NewTokenRequest,
    NewUser,
    ProjectChange,
    UserChange,
)
from webui.policy import Need

_SIGNED_IN, _ADMINISTER = Need.SIGNED_IN, Need.ADMINISTER
_ROWS = (
    ("GET", "/projects", sharing.projects, _SIGNED_IN, Page[ProjectRow], None),
    ("POST", "/projects", sharing.make_project, _SIGNED_IN, ProjectRow, NewProject),
    ("GET", "/projects/<code>", sharing.project, _SIGNED_IN, ProjectRow, None),
    ("PUT", "/projects/<code>", sharing.change_project, _SIGNED_IN, ProjectRow, ProjectChange),
    ("GET", "/projects/<code>/grants", sharing.matrix, _SIGNED_IN, MatrixView, None),
    ("PUT", "/projects/<code>/grants", sharing.grant, _SIGNED_IN, MatrixView, GrantRequest),
    ("POST", "/projects/<code>/members", sharing.set_member, _SIGNED_IN, MatrixView, MemberRequest),
    ("DELETE", "/projects/<code>/members/<account>", sharing.remove_member, _SIGNED_IN, None, None),
    ("GET", "/projects/<code>/events", sharing.events, _SIGNED_IN, Page[EventRow], None),
    (
        "POST",
        "/projects/<code>/events/<event_id>/undo",
        sharing.undo_ticks,
        _SIGNED_IN,
        MatrixView,
        None,
    ),
    ("GET", "/projects/<code>/data", sharing.entries, Need.SHOWN, Page[EntryRow], PageQuery),
    ("POST", "/projects/<code>/data", sharing.put_data, Need.SHOWN, Page[EntryRow], DataRequest),
    (
        "POST",
        "/projects/<code>/data/preview",
        sharing.preview_data,
        _SIGNED_IN,
        Holding,
        DataRequest,
    ),
    ("DELETE", "/projects/<code>/data/<entry_id>", sharing.take_data, _SIGNED_IN, None, None),
    ("GET", "/users", sharing.users, _ADMINISTER, Page[AccountRow], None),
    ("POST", "/users", sharing.add_user, _ADMINISTER, AccountRow, NewUser),
    ("PUT", "/users/<account>", sharing.change_user, _ADMINISTER, AccountRow, UserChange),
    ("GET", "/tokens", sharing.own_tokens, _SIGNED_IN, Page[TokenRow], None),
    ("POST", "/tokens", sharing.make_token, _SIGNED_IN, MadeTokenAnswer, NewTokenRequest),
    ("DELETE", "/tokens/<token_id>", sharing.revoke_token, _SIGNED_IN, None, None),
)
SHARING = tuple(
    Endpoint(path=path, act=act, need=need, returns=returns, takes=takes, method=method)
    for method, path, act, need, returns, takes in _ROWS
)
