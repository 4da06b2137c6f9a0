"""The door's nginx configuration: the only thing that others reach by HTTP."""

import base64
import getpass
import os
from pathlib import Path

from rtpacs import keyring
from rtpacs.archive.rest import DOOR_USER
from rtpacs.settings import Settings

# Bodies go to Orthanc only after the guard's rules; size and time limits hold for all.
TEMPLATE = """\
# Written by `rtpacs serve` at each start; edits are lost.
{user}worker_processes 1;
pid "{run}/nginx.pid";
error_log "{logs}/door-error.log" warn;
daemon off;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    server_tokens off;
    client_body_temp_path "{door}/body";
    proxy_temp_path "{door}/proxy";
    fastcgi_temp_path "{door}/fastcgi";
    uwsgi_temp_path "{door}/uwsgi";
    scgi_temp_path "{door}/scgi";
    client_header_timeout 10s;
    client_body_timeout 30s;
    send_timeout 30s;
    client_max_body_size 16m;
    large_client_header_buffers 4 16k;
    keepalive_timeout 30s;
    gzip on;
    gzip_types text/css text/javascript application/javascript application/json image/svg+xml;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Connection "";
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    server {{
        listen {host}:{port};
        location / {{
            proxy_pass http://127.0.0.1:{web};
        }}
        # The client's own credential travels beside the door's: the guard reads it.
        location ~ ^/(?:dicom-web|orthanc)(?:/|$) {{
            rewrite ^/orthanc(?:/(.*))?$ /$1 break;
            proxy_set_header X-Rtpacs-Authorization $http_authorization;
            proxy_set_header Authorization "Basic {credential}";
            proxy_pass http://127.0.0.1:{orthanc};
        }}
    }}
}}
"""


def write_configuration(settings: Settings) -> Path:
    """Write nginx's file, readable by its owner only, since it holds the door's credential."""
    password = keyring.secret(settings.home, keyring.DOOR_PASSWORD)
    credential = base64.b64encode(f"{DOOR_USER}:{password}".encode()).decode("ascii")
    path = settings.home / "door" / "nginx.conf"
    text = TEMPLATE.format(
        # As root nginx would drop to a user that cannot read the data folder.
        user=f"user {getpass.getuser()};\n" if os.geteuid() == 0 else "",
        run=settings.home / "run",
        logs=settings.home / "logs",
        door=settings.home / "door",
        host=f"[{settings.web_host}]" if ":" in settings.web_host else settings.web_host,
        port=settings.web_port,
        web=settings.web_internal_port,
        orthanc=settings.orthanc_port,
        credential=credential,
    )
    keyring.write_private(path, text)
    return path
