"""REST: the DICOM nodes that we know, as the page *Senders* has them."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from rtpacs.services import nodes
from rtpacs.services.desk import NewNode
from rtpacs.services.reachability import NodeState
from rtpacs.services.views import NodeRow, Page
from webui.api.answers import whole
from webui.api.endpoint import Endpoint
from webui.callers import desk
from webui.policy import Need
from webui.recording import says

Asked = Mapping[str, Any]


class NodeRequest(Schema):
    """All that is known of a node; ``networks`` are addresses and networks it sends from."""

    aet = fields.String(required=True, validate=validate.Length(1, 16))
    center_code = fields.String(required=True, validate=validate.Length(1, 64))
    host = fields.String(load_default="", validate=validate.Length(max=255))
    port = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(1, 65535))
    networks = fields.List(
        fields.String(validate=validate.Length(1, 64)),
        load_default=list,
        validate=validate.Length(max=100),
    )
    may_store = fields.Boolean(load_default=False)
    may_query = fields.Boolean(load_default=False)
    may_receive = fields.Boolean(load_default=False)
    tls = fields.Boolean(load_default=False)


def known() -> Page[NodeRow]:
    """All DICOM nodes that are known."""
    return whole(desk().directory.nodes())


def one(node_id: str) -> NodeState:
    """A node with its last C-ECHO."""
    return nodes.state_of(desk().node_tests, node_id)


def add(asked: Asked) -> NodeRow:
    """Add a node; what it already sent goes to its center."""
    return _said(desk().directory.add_node(_new(asked)))


def change(asked: Asked, node_id: str) -> NodeRow:
    """Say anew all that is known of a node."""
    desk().directory.change_node(node_id, _new(asked))
    return _said(node_id)


def deactivate(node_id: str) -> NodeRow:
    """Let a node do nothing any more; all else that is known of it stays."""
    nodes.deactivate(desk().directory, node_id)
    return _said(node_id)


def remove(node_id: str) -> None:
    """Remove a node that has left nothing behind."""
    row = nodes.node_of(desk().directory, node_id)
    desk().directory.remove_node(node_id)
    says(f"{row.aet} of {row.center_code}")


def test(node_id: str) -> NodeState:
    """Let a worker test a node now (C-ECHO); ask for the node until it is no longer asked."""
    desk().node_tests.ask_for_test(node_id)
    return nodes.state_of(desk().node_tests, node_id)


def _new(asked: Asked) -> NewNode:
    return NewNode(**{**asked, "networks": tuple(asked["networks"])})


def _said(node_id: str) -> NodeRow:
    """The node; the access log says which one it was."""
    row = nodes.node_of(desk().directory, node_id)
    says(f"{row.aet} of {row.center_code}")
    return row


_ROWS = (
    ("GET", "/nodes", known, Page[NodeRow], None),
    ("POST", "/nodes", add, NodeRow, NodeRequest),
    ("GET", "/nodes/<node_id>", one, NodeState, None),
    ("PUT", "/nodes/<node_id>", change, NodeRow, NodeRequest),
    ("DELETE", "/nodes/<node_id>", remove, None, None),
    ("POST", "/nodes/<node_id>/deactivate", deactivate, NodeRow, None),
    ("POST", "/nodes/<node_id>/test", test, NodeState, None),
)
NODES = tuple(
    Endpoint(path=path, act=act, need=Need.ADMINISTER, returns=returns, takes=takes, method=method)
    for method, path, act, returns, takes in _ROWS
)
