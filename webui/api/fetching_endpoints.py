"""The part of the REST table on downloads and on studies of other nodes."""

from rtpacs.services.downloads import DownloadRow
from rtpacs.services.remote import RemoteQueryRow
from rtpacs.services.views import NodeRow, Page
from webui.api import fetching
from webui.api.endpoint import Endpoint
from webui.api.schemas import DownloadRequest, FetchRequest, PageQuery, QueryRequest
from webui.policy import Need

FETCHING = (
    Endpoint(
        path="/downloads",
        act=fetching.downloads,
        need=Need.DOWNLOAD,
        returns=Page[DownloadRow],
        takes=PageQuery,
    ),
    Endpoint(
        path="/downloads",
        act=fetching.ask_download,
        need=Need.DOWNLOAD,
        returns=DownloadRow,
        takes=DownloadRequest,
        method="POST",
    ),
    Endpoint(
        path="/downloads/<download_id>",
        act=fetching.download,
        need=Need.DOWNLOAD,
        returns=DownloadRow,
    ),
    Endpoint(
        path="/downloads/<download_id>",
        act=fetching.remove_download,
        need=Need.DOWNLOAD,
        returns=None,
        method="DELETE",
    ),
    Endpoint(
        path="/remote/nodes",
        act=fetching.remote_nodes,
        need=Need.PATIENTS,
        returns=Page[NodeRow],
    ),
    Endpoint(
        path="/remote/queries",
        act=fetching.remote_queries,
        need=Need.PATIENTS,
        returns=Page[RemoteQueryRow],
        takes=PageQuery,
    ),
    Endpoint(
        path="/remote/queries",
        act=fetching.ask_node,
        need=Need.PATIENTS,
        returns=RemoteQueryRow,
        takes=QueryRequest,
        method="POST",
    ),
    Endpoint(
        path="/remote/queries/<query_id>",
        act=fetching.remote_query,
        need=Need.PATIENTS,
        returns=RemoteQueryRow,
    ),
    Endpoint(
        path="/remote/queries/<query_id>/fetch",
        act=fetching.fetch_studies,
        need=Need.PATIENTS,
        returns=RemoteQueryRow,
        takes=FetchRequest,
        method="POST",
    ),
    Endpoint(
        path="/remote/queries/<query_id>/cancel",
        act=fetching.cancel_query,
        need=Need.PATIENTS,
        returns=None,
        method="POST",
    ),
)
