"""The door's nginx configuration: the only thing that others reach by HTTP.

Orthanc gets nothing but GET requests of known shapes (``rules.routes``), without a body and with
four headers; all else goes to our web process, which also words every refusal.
"""

import base64
import getpass
import os
from pathlib import Path

from rtpacs import keyring
from rtpacs.archive.rest import DOOR_USER
from rtpacs.rules.routes import ROUTES, UID, WADO_PARAMETERS
from rtpacs.settings import Settings

# Bodies that may be large: they are taken only from who may upload.
UPLOADS = (
    "/upload",
    "/upload/file",
    "/orthanc/instances",
    "/dicom-web/studies",
    f"/dicom-web/studies/{UID}",
)
TEMPLATE = """\
# Written by `rtpacs serve` at each start; edits are lost.
{user}worker_processes 1;
worker_rlimit_nofile 8192;
pid "{run}/nginx.pid";
# Below this level lines hold addresses, and so what was searched for.
error_log "{logs}/door-error.log" crit;
daemon off;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    server_tokens off;
    client_body_temp_path "{door}/body";
    proxy_temp_path "{door}/proxy";
    fastcgi_temp_path "{door}/fastcgi";
    uwsgi_temp_path "{door}/uwsgi";
    scgi_temp_path "{door}/scgi";

    # Who sends slowly, much, or never ends a request loses the connection; others do not notice.
    client_header_timeout 10s;
    client_body_timeout 30s;
    send_timeout 30s;
    reset_timedout_connection on;
    keepalive_timeout 30s;
    client_max_body_size 16m;
    client_header_buffer_size 4k;
    large_client_header_buffers 4 16k;
    limit_conn_zone $binary_remote_addr zone=peer:1m;
    limit_conn peer 256;
    limit_conn_zone $binary_remote_addr zone=uploader:1m;
    # Coarse, per address: the web process counts per account too.
    map $request_method $signs_in {{ POST $binary_remote_addr; default ""; }}
    limit_req_zone $signs_in zone=sign_in:1m rate=2r/s;
    limit_req_status 429;
    limit_conn_status 429;

    gzip on;
    gzip_types text/css text/javascript application/javascript application/json image/svg+xml;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Connection "";
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    upstream web {{ server 127.0.0.1:{web}; }}
    upstream archive {{ server 127.0.0.1:{orthanc}; keepalive 16; }}

    # The path as it was sent: no decoding, no second spelling.
    map $request_uri $sent_path {{ "~^(?<before>[^?]*)" $before; }}
    map "$request_method $sent_path" $asks_archive {{
        default 0;
{routes}
    }}
    # A parameter twice, or one of another name, would leave open which one counts.
    map "$sent_path?$args" $is_plain {{
        default 1;
        "~^/wado\\?(?!.*[?&](\\w+)=.*&\\1=)(?:(?:{wado})=(?:[\\w.,/+*=-]|%2[Ff])*(?:&|$))+$" 1;
        "~^/wado\\?" 0;
    }}
    # The DICOMweb plugin decodes nothing, and clients write application%2Fdicom.
    map "$sent_path?$args" $archive_args {{
        default $args;
        "~^/wado\\?(?<first>[^%]*)%2[Ff](?<last>[^%]*)$" "$first/$last";
    }}
    # "Any kind", which PS3.18 8.7.4 allows, is none to the plugin.
    map $http_accept $archive_accept {{
        default $http_accept;
        "~^multipart/related; *type=.?\\*/\\*" multipart/related;
    }}
    map "$asks_archive$is_plain" $to_archive {{ default 0; 11 1; }}
    # A large body comes with a POST alone: only then its sender was asked for.
    map "$request_method $http_content_length$http_transfer_encoding" $brings_body {{
        default 1;
        "~^POST " 0;
        "~ 0?$" 0;
    }}

    server {{
        listen {listen};
{tls}        recursive_error_pages on;
        location / {{
            proxy_pass http://web;
        }}
        location = /sign-in {{
            limit_req zone=sign_in burst=30 nodelay;
            proxy_pass http://web;
        }}
        location = /api/v1/token {{
            limit_req zone=sign_in burst=30 nodelay;
            proxy_pass http://web;
        }}
        # Of regular expressions the first one that fits counts.
{uploads}        location ~ ^/(?:dicom-web|orthanc|wado)(?:/|$) {{
            error_page 418 = @archive;
            if ($to_archive) {{ return 418; }}
            proxy_pass http://web$request_uri;
        }}
        # The client's own credential travels beside the door's: the guard reads it.
        location @archive {{
            set $args $archive_args;
            rewrite ^/orthanc(/.*)$ $1 break;
            proxy_pass_request_headers off;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header Host $http_host;
            proxy_set_header Forwarded "host=$http_host;proto=$scheme";
            proxy_set_header Connection "";
            proxy_set_header Accept $archive_accept;
            proxy_set_header Authorization "Basic {credential}";
            proxy_set_header X-Rtpacs-Authorization $http_authorization;
            proxy_set_header X-Rtpacs-Address $remote_addr;
            # A study of gigabytes streams: it is not written to the disk on its way.
            proxy_max_temp_file_size 0;
            proxy_read_timeout 300s;
            proxy_intercept_errors on;
            error_page 401 403 404 = @refused;
            error_page 400 405 406 415 500 501 = @no_form;
            proxy_pass http://archive;
        }}
        # What Orthanc or the guard does not give: the web process says so, always the same way.
        # One header set here takes the place of all those above.
        location @refused {{
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_pass http://web$request_uri;
        }}
        location @upload {{
            limit_conn uploader 8;
            client_max_body_size {upload_mb}m;
            proxy_read_timeout 600s;
            auth_request /rtpacs-uploader;
            error_page 401 @sign_in;
            error_page 403 @no_upload;
            proxy_pass http://web$request_uri;
        }}
        # Said here: the web process would get the answer only after the body.
        location @sign_in {{
            default_type application/problem+json;
            add_header WWW-Authenticate Bearer always;
            return 401 '{{"title": "Sign in first", "status": 401, "type": "about:blank"}}';
        }}
        location @no_upload {{
            default_type application/problem+json;
            return 403 '{{"title": "Only submitters and managers of a center may upload", \
"status": 403, "type": "about:blank"}}';
        }}
        # The guard let it pass, and Orthanc cannot: a picture of what is no image, for example.
        location @no_form {{
            default_type application/problem+json;
            return 406 '{{"title": "This object is not available in that form", "status": 406, \
"type": "about:blank"}}';
        }}
        # Before a large body is taken: may this caller upload?
        location = /rtpacs-uploader {{
            internal;
            client_max_body_size 0;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_pass http://web;
        }}
    }}
}}
"""
UPLOAD = """\
        location ~ "^{path}$" {{
            error_page 418 = @archive;
            error_page 419 = @upload;
            client_max_body_size {upload_mb}m;
            if ($brings_body) {{ return 413; }}
            if ($to_archive) {{ return 418; }}
            if ($request_method = POST) {{ return 419; }}
            proxy_pass http://web$request_uri;
        }}
"""
TLS = """\
        ssl_certificate "{certificate}";
        ssl_certificate_key "{key}";
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:tls:1m;
        add_header Strict-Transport-Security "max-age=31536000" always;
        # Plain HTTP on this port: to the same address by TLS.
        error_page 497 =301 https://$http_host$request_uri;
"""


def write_configuration(settings: Settings) -> Path:
    """Write nginx's file, readable by its owner only, since it holds the door's credential."""
    password = keyring.secret(settings.home, keyring.DOOR_PASSWORD)
    credential = base64.b64encode(f"{DOOR_USER}:{password}".encode()).decode("ascii")
    path = settings.home / "door" / "nginx.conf"
    host = f"[{settings.web_host}]" if ":" in settings.web_host else settings.web_host
    with_tls = bool(settings.web_certificate_file)
    text = TEMPLATE.format(
        # As root nginx would drop to a user that cannot read the data folder.
        user=f"user {getpass.getuser()};\n" if os.geteuid() == 0 else "",
        run=settings.home / "run",
        logs=settings.home / "logs",
        door=settings.home / "door",
        listen=f"{host}:{settings.web_port}{' ssl' if with_tls else ''}",
        tls=TLS.format(certificate=settings.web_certificate_file, key=settings.web_key_file)
        if with_tls
        else "",
        web=settings.web_internal_port,
        orthanc=settings.orthanc_port,
        credential=credential,
        routes="".join(f'        "~^(?:GET|HEAD) {route.expression}$" 1;\n' for route in ROUTES),
        wado="|".join(sorted(WADO_PARAMETERS)),
        uploads="".join(UPLOAD.format(path=path, upload_mb=settings.upload_mb) for path in UPLOADS),
        upload_mb=settings.upload_mb,
    )
    keyring.write_private(path, text)
    return path
